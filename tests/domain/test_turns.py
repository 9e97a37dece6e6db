"""Where a response's turn ends: no answer is lost to a token that was decoded with it, and none is read behind one."""

import time

import pytest
from co_rewarding_schema.vocabulary import AnswerFormat
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.extraction import extractor, first_turn
from reward_service.domain.extraction.turns import END_TOKENS, OTHERS_TURN, SPECIAL

TOKENS = [token for tokens in END_TOKENS.values() for token in tokens]
OPENINGS = [
    "<|im_start|>user", "<|start_header_id|>user<|end_header_id|>", "<start_of_turn>user", "<|turn>user", "<|user|>",
    "<|observation|>", "<｜User｜>", "<|User|>", "<|start|>functions.python", "<|USER_TOKEN|>",
]  # fmt: skip
RESPONSES = {
    AnswerFormat.BOXED: r"so \boxed{7}",
    AnswerFormat.FBOX: r"so \fbox{7}",
    AnswerFormat.JSON: '{"answer": 7}',
    AnswerFormat.FINAL_ANSWER: "The answer is $7$.",
    AnswerFormat.HASHES: "so\n#### 7",
    AnswerFormat.ANSWER_TAG: "<answer>7</answer>",
    AnswerFormat.ANSWER_LINE: "so\nAnswer: 7",
}
OTHER = '\\boxed{8} \\fbox{8} {"answer": 8}\nThe answer is 8.\n#### 8\nAnswer: 8 <answer>8</answer>'


@pytest.mark.parametrize("name", AnswerFormat)
@pytest.mark.parametrize("token", TOKENS + OPENINGS)
def test_what_ends_a_turn_ends_an_answer(token: str, name: AnswerFormat) -> None:
    read = extractor([name])
    for after in ("", token * 3, f"\n<|endoftext|>{token}", f"\n{OTHER}", f"<|im_start|>assistant\n{OTHER}"):
        assert read(RESPONSES[name] + token + after) == "7"
        assert read(RESPONSES[name] + " " + token + after) == "7"
        assert read(f"nothing{token}{after}") is None


@pytest.mark.parametrize("token", TOKENS)
def test_every_known_token_is_a_special_one_that_begins_with_an_angle(token: str) -> None:
    assert token.startswith("<")
    found = SPECIAL.fullmatch(token)
    assert found is not None


@pytest.mark.parametrize("opening", OPENINGS)
def test_every_opening_is_anothers_turn(opening: str) -> None:
    assert OTHERS_TURN.match(opening)


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("<think>\n\\boxed{1}\n</think>\n\\boxed{7}<|im_end|>", "7"),
        ("<|message|>\\boxed{1}<|end|><|start|>assistant<|channel|>final<|message|>\\boxed{7}<|return|>", "7"),
        ("<|channel|>final<|message|>\\boxed{7}<|end|>\n<|start|>user<|message|>\\boxed{1}", "7"),
        ("<|im_start|>think\nhm\n<|im_start|>answer\n\\boxed{7}<|im_end|>", "7"),
        ("<|im_start|>assistant\n\\boxed{7}<|im_end|>", "7"),
        ("The token \"</s>\", or `<|im_end|>`, ends a text: \\boxed{7}", "7"),
        (r"It is \boxed{\text{</s>}}.</s>", r"\text{</s>}"),
        (r"<s>\boxed{6}</s> no: \boxed{7}</s>\boxed{8}", "6"),
        (r"x = <s>\boxed{6}</s> no: \boxed{7}</s>\boxed{8}", "7"),
        (r"\boxed{7<|im_end|>}", None),
        (r"<|im_end|>\boxed{7}", None),
        (r"1 < 2 and \boxed{x <|y|> z}", "x <|y|> z"),
        ("<|im_end|> is how a turn ends; \\boxed{7}", None),
    ],
)  # fmt: skip
def test_what_is_no_end_of_a_turn(response: str, answer: str | None) -> None:
    assert extractor(["boxed"])(response) == answer


def test_a_runs_own_tokens_end_a_response_too() -> None:
    own = ("[|endofturn|]", "\nQuestion:")
    text = "#### 7[|endofturn|]\n#### 8\nQuestion: #### 9"
    assert extractor(["hashes"])(text) == "9"
    assert extractor(["hashes"], own)(text) == "7"
    assert extractor(["hashes"], own[1:])(text) == "8"
    assert extractor(["hashes"], own)("#### 7<|im_end|>#### 8[|endofturn|]") == "7"


@given(before=st.text(), after=st.text(), token=st.sampled_from(TOKENS))
def test_nothing_behind_a_token_is_read(before: str, after: str, token: str) -> None:
    turn = first_turn(before + "." + token + after)
    assert (before + ".").startswith(turn) or "<s>" in before


@given(st.text(alphabet="ab <|>/s"))
def test_a_text_without_tokens_is_itself(text: str) -> None:
    if "</s>" not in text:
        assert first_turn(text) is text


@pytest.mark.parametrize(
    "piece",
    [
        "<", "<|", "<|end|>", "<|end|> <|start|>assistant", "`</s>`", "<s>", "<s></s>", "<|im_start|>\n",
        "<|im_start|>" + " " * 5000, "<|end|>" + " " * 5000, "<" * 100 + "|", "｜", "<｜end▁of▁",
    ],
)  # fmt: skip
def test_time_is_linear(piece: str) -> None:
    """The slowest takes 0.2 s here; a quadratic scan takes hours."""
    text = "x" + (piece * (1_000_000 // len(piece) + 1))[:1_000_000]
    began = time.process_time()
    first_turn(text)
    SPECIAL.sub("", text)
    assert time.process_time() - began < 3.0
