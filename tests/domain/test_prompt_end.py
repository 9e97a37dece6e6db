r"""Where the prompt ends in a query: a \boxed{} of the prompt is never the response's, whatever a tokenizer does."""

import re
import time
import unicodedata
from dataclasses import dataclass
from typing import Literal

import pytest
from co_rewarding_schema.vocabulary import AnswerFormat
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reward_service.domain.extraction import extractor
from reward_service.domain.extraction.turns import LEAST_PART_CHARS, OTHERS_TURN, SPECIAL, Response, response_in

READ = extractor(tuple(AnswerFormat))
QUESTION = "What is 3 + 4 , and why isn't it \\boxed{42} , or another one ?"
CHAT = (
    "<|im_start|>system\nPut it into \\boxed{42} .<|im_end|>\n"
    f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
)
LLAMA = f"<s>[INST] {QUESTION} [/INST]"
SILENT = "I do not know."
SAYS = "It is \\boxed{7} ."
TEMPLATES = {
    "ChatML": "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
    "Llama 3": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "Mistral": "<s>[INST] {} [/INST]",
    "Gemma": "<bos><start_of_turn>user\n{}<end_of_turn>\n<start_of_turn>model\n",
    "DeepSeek": "<｜begin▁of▁sentence｜><｜User｜>{}<｜Assistant｜>",
    "Phi 3": "<|user|>\n{}<|end|>\n<|assistant|>\n",
    "GLM": "[gMASK]<sop><|user|>\n{}<|assistant|>",
    "gpt-oss": "<|start|>user<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>",
}


def cleaned(text: str) -> str:
    """As tokenizers with clean_up_tokenization_spaces write it."""
    for mark in (" .", " ?", " !", " ,", " n't", " 'm", " 's", " 've", " 're"):
        text = text.replace(mark, mark[1:])
    return text


def skipped(text: str) -> str:
    return SPECIAL.sub("", text)


DECORATED = {
    "as it is": lambda prompt, text: (prompt, prompt + text),
    "<s>": lambda prompt, text: (prompt, "<s>" + prompt + text),
    "<s> and a space": lambda prompt, text: (prompt, "<s> " + prompt + text),
    "padding on both sides": lambda prompt, text: (prompt, "<pad>" * 9 + prompt + text + "<pad>" * 9),
    "end tokens as padding": lambda prompt, text: (prompt, "<|endoftext|>" * 9 + prompt + text + "<|endoftext|>" * 9),
    "an end token": lambda prompt, text: (prompt, prompt + text + "<|im_end|>"),
    "cut on the left": lambda prompt, text: (prompt, (prompt + text)[9:]),
    "cut in the box": lambda prompt, text: (prompt, (prompt + text)[prompt.rindex("42") :]),
    "cut within a character": lambda prompt, text: (prompt, "\ufffd" + (prompt + text)[9:]),
    "cleaned": lambda prompt, text: (prompt, cleaned(prompt + text)),
    "cleaned and cut": lambda prompt, text: (prompt, cleaned(prompt + text)[9:]),
    "tokens skipped in the query": lambda prompt, text: (prompt, skipped(prompt + text)),
    "tokens skipped in the prompt": lambda prompt, text: (skipped(prompt), prompt + text),
    "line breaks as spaces": lambda prompt, text: (prompt, (prompt + text).replace("\n", " ")),
    "decomposed": lambda prompt, text: (
        unicodedata.normalize("NFC", "Détail ½ : " + prompt),
        unicodedata.normalize("NFKD", "Détail ½ : " + prompt + text),
    ),
}


@pytest.mark.parametrize("prompt", [QUESTION, CHAT, LLAMA])
@pytest.mark.parametrize("how", DECORATED)
def test_a_prompt_is_found_whatever_a_tokenizer_did_to_it(how: str, prompt: str) -> None:
    for text, answer in ((SILENT, None), (SAYS, "7"), ("", None)):
        sent, query = DECORATED[how](prompt, text)
        found = response_in(query, sent)
        assert found.prompt_found, (sent, query)
        assert READ(found.text) == answer


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("question", [QUESTION, "3+4=?"])
def test_a_template_that_only_the_query_has(name: str, question: str) -> None:
    for text, answer in ((SILENT, None), (SAYS, "7")):
        query = TEMPLATES[name].format(question) + text + "<|im_end|>\n<|im_start|>assistant\n\\boxed{8}"
        found = response_in(query, question)
        assert found.prompt_found or len(question) < LEAST_PART_CHARS
        if found.prompt_found:
            assert READ(found.text) == answer
        query = TEMPLATES[name].format(question) + text
        assert READ(response_in(query, question).text) == answer


def test_an_exact_prefix_is_taken_as_it_is() -> None:
    assert response_in(CHAT + SAYS, CHAT) == Response(SAYS)
    assert response_in("Q</s>", "Q") == Response("</s>")
    assert READ(response_in("Q</s>\\boxed{1}", "Q").text) is None


def test_an_end_token_of_the_prompt_does_not_end_the_response() -> None:
    prompt = "Question: 3 + 4 , in \\boxed{42} .</s>"
    for query in ("<s>" + cleaned(prompt) + SAYS, prompt.replace("</s>", "") + SAYS):
        found = response_in(query, prompt)
        assert found.prompt_found
        assert READ(found.text) == "7"
    assert READ(response_in("<s>" + cleaned(prompt) + "</s>" + SAYS, prompt).text) is None


@pytest.mark.parametrize(
    ("query", "prompt", "answer"),
    [
        (SAYS, CHAT, "7"),  # the response alone
        ("Well. " + SAYS, "Another prompt with \\boxed{42}.", "7"),
        (SILENT, CHAT, None),
        ("It is \\boxed{42}.", CHAT, None),  # it may be the prompt's
        (CHAT.replace("What", "<unk>").replace("Put", "<unk>") + SAYS, CHAT, "7"),
        (CHAT.replace("What", "Where") + SILENT, CHAT, None),
        (QUESTION.replace("What", "Where") + SILENT, QUESTION, None),
        (QUESTION.replace("3 + 4", "<unk>") + SAYS, QUESTION, "7"),
        ("Where? \\boxed{42} " + SILENT, "What? \\boxed{ 42 }", None),
        ("Where? \\boxed{42", "What? \\boxed{42} or so", None),
        ("Where?\n#### 42\n" + SILENT, "What? Like so:\n#### 42", None),
        ("Where?\n#### 42\n#### 7", "What? Like so:\n#### 42", "7"),
        ("Where? The answer is 42, or so. " + SILENT, "What? The answer is 42 , or so.", None),
        ('Where? {"answer": 42} ' + SILENT, 'What? {"answer" : 42}', None),
        ("<s> ####" + SAYS, "# ###", "7"),  # or "###", and a response that begins with "#"
        (CHAT[-8:] + SAYS, CHAT, "7"),  # cut to less than tells
    ],
)
def test_where_the_prompt_is_not_found_it_is_said_and_its_answers_are_not_read(
    query: str, prompt: str, answer: str | None
) -> None:
    found = response_in(query, prompt)
    assert not found.prompt_found
    assert READ(found.text) == answer


def test_a_query_without_a_prompt() -> None:
    assert response_in(SAYS, "") == Response(SAYS)
    assert response_in("", "") == Response("")
    assert READ(response_in("<|endoftext|>" * 3 + CHAT + SAYS + "<|im_end|>", "").text) == "7"
    assert READ(response_in(CHAT + SILENT, "").text) is None
    own = "\\boxed{1}<|im_end|>\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\n\\boxed{2}"
    assert READ(response_in(own, "").text) == "1"


WORDS = st.sampled_from(
    ["alpha", "beta", "gamma delta", "don't", "is n't", "?", "!", " . ", " , ", "x < 5", "é", "e\u0301", "½", "漢字",
     "\n", "\n\n", "  ", "\u3000", "\ufeff", "it 's", "$x$", "####", "answer", "{", "}", "\\", "assistant", "user",
     "{x}"]
)  # fmt: skip
TOKENS = st.sampled_from(
    ["<|im_start|>user\n", "<|im_start|>assistant\n", "<|im_end|>\n", "</s>", "<s>", "[INST]", "[/INST]", "<|eot_id|>",
     "<|user|>", "<|assistant|>", "<｜User｜>", "<|image_pad|>"]
)  # fmt: skip
NOTATIONS = (
    "\\boxed{{{}}}", "\\fbox{{{}}}", '{{"answer": "{}"}}', "\nThe answer is {} .\n", "\n#### {}\n",
    "\\boxed{{ \\frac{{{}}}{{2}} }}",
)  # fmt: skip


def answers(letter: str) -> st.SearchStrategy[str]:
    return st.builds(lambda notation, n: notation.format(f"{letter}{n}"), st.sampled_from(NOTATIONS), st.integers(0, 9))


PROMPTS = st.lists(WORDS | TOKENS | answers("p"), min_size=1, max_size=30).map(" ".join)
RESPONSES = st.lists(WORDS | answers("r"), max_size=12).map(" ".join)
ENDS = st.sampled_from(
    ["", "<|im_end|>", "</s></s>", "<|eot_id|><pad><pad>", "<|endoftext|>\n<|im_start|>user\n\\boxed{u}"]
)

FORMS: tuple[Literal["NFC", "NFD", "NFKC"] | None, ...] = (None, "NFC", "NFD", "NFKC")
ENDS_IN_TOKEN = re.compile(rf"(?:{SPECIAL.pattern})\s*\Z")


@dataclass(frozen=True)
class Sent:
    """A prompt and a query as a trainer might send them, and the response as it stands in the query."""

    prompt: str
    query: str
    response: str


@st.composite
def sent(draw: st.DrawFn) -> Sent:
    prompt, response = draw(PROMPTS), draw(RESPONSES) + draw(ENDS)
    before, after = prompt, response
    if draw(st.booleans()):
        before = before[draw(st.integers(0, len(before))) :]
    elif draw(st.booleans()):
        words = before.split(" ")
        before = " ".join(words[draw(st.integers(0, len(words))) :])
    if draw(st.booleans()):
        before, after = cleaned(before), cleaned(after)
    if draw(st.booleans()):
        before, after = skipped(before), skipped(after)
    elif draw(st.booleans()) and not ENDS_IN_TOKEN.search(prompt):  # which would be read as that of an empty response
        prompt = skipped(prompt)
    form = draw(st.sampled_from(FORMS))
    if form is not None:
        before, after = unicodedata.normalize(form, before), unicodedata.normalize(form, after)
    if draw(st.booleans()):
        before, after = " ".join(before.split()) + " ", after.replace("\t", " ")
    lead = draw(st.sampled_from(["", "<s>", "<s> ", "<pad>" * 7, "<|endoftext|>" * 3, " \n"]))
    tail = draw(st.sampled_from(["", "<pad>" * 7, "<|endoftext|>" * 3]))
    return Sent(prompt, lead + before + after + tail, after)


@settings(max_examples=150)
@given(sent())
def test_an_answer_is_that_of_the_response_alone_or_the_prompt_is_said_to_be_not_found(case: Sent) -> None:
    assume(case.prompt)
    assume(OTHERS_TURN.search(case.prompt) is None)  # its answer is not the policy's
    found = response_in(case.query, case.prompt)
    for name in AnswerFormat:
        read = extractor([name])
        answer = read(found.text)
        assert answer is None or not re.search(r"p\d", answer), "an answer of the prompt"
        if found.prompt_found:
            assert answer == read(case.response)


@given(prompt=st.text(), response=st.text())
def test_an_exact_prefix_always_is(prompt: str, response: str) -> None:
    assume(prompt)
    assert response_in(prompt + response, prompt) == Response(response)


@given(st.text(), st.text())
def test_any_two_texts_are_read(query: str, prompt: str) -> None:
    assert query.endswith(response_in(query, prompt).text)


LENGTH = 300_000
HAN = "".join(map(chr, range(0x4E00, 0x9FA5)))
HOSTILE = [
    "a", "ab", "a" * 15 + "b", " ", "\n", "<", "<|", "<|x|>", "<s>", "[INST]", "[/INST] ", "\\boxed{", "\\boxed{1}",
    "\\boxed ",
    "#### 1\n", "####", '"answer": "', "the answer is ", "é", "\u0301\u0315", "½", HAN, "，", "<|im_start|>user ",
    "<|im_start|>assistant ", "\ufffd", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_is_linear(piece: str) -> None:
    """The slowest takes 1 s here, all three together; what is quadratic takes hours."""
    text = (piece * (LENGTH // len(piece) + 1))[:LENGTH]
    began = time.process_time()
    for query, prompt in (
        (text + "b", text[:-1000] + "c"),  # a near-match
        (text[5:] + "x" * 99, text + "<s>"),  # cut on the left
        (text + "z" * 16 + text, "é" + text[:-7] + "z" * 16),
    ):
        response_in(query, prompt)
    assert time.process_time() - began < 5.0
