r"""Extraction beyond \boxed{}: what each notation reads, which of several decides, and that no text is slow."""

import gzip
import json
import time
from pathlib import Path

import pytest
from co_rewarding_schema.limits import MAX_ANSWER_CHARS
from co_rewarding_schema.vocabulary import AnswerFormat, Thinking
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.extraction import extractor

ADVERSARIAL = Path(__file__).parents[3] / "shared" / "data" / "equivalence" / "adversarial_dev.json.gz"
LONGEST = "1" * MAX_ANSWER_CHARS


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"so \fbox{4}", "4"),
        (r"\fbox{1}, no: \fbox{$\frac{1}{2}$}", r"$\frac{1}{2}$"),
        (r"\fbox{4}, no: \fbox{5", "4"),
        (r"\fbox 5", None),
        (r"\boxed{5}", None),
        (r"\fboxrule{5}", None),
        (r"\fbox{" + LONGEST + "1}", None),
    ],
)
def test_fbox(response: str, answer: str | None) -> None:
    assert extractor(["fbox"])(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ('{"answer": "4"}', "4"),
        ('{"answer": 4}', "4"),
        ('{"reason": "{", "final_answer"\n:\t-1.50e+3 ,', "-1.50e+3"),
        ('{"answer": "4"} then {"final_answer": "5"}', "5"),
        ('{"answer": "4"} then {"answer": "5', "4"),
        ('{"answer": "4"} then {"answer": 5', "4"),
        ('{"answer": "4"} then {"answer": null, "answer": [5], "answer": 1/2}', "4"),
        ('{"answer": "4"} then {"answer": " "}', None),
        ('{"answer": "the \\"answer\\": 5"}', 'the "answer": 5'),
        (r'{"answer": "\\frac{1}{2}"}', r"\frac{1}{2}"),
        (r'{"answer": "\frac{1}{2} \times \sqrt{2} \binom{3}{\rho}"}', r"\frac{1}{2} \times \sqrt{2} \binom{3}{\rho}"),
        (r'{"answer": "1\n\t2\f\/\b3"}', "1\n\t2\f/\b3"),
        (r'{"answer": "\u0034 \ud83d\ude00 \ud800 \ude00 \u12"}', "4 😀 \\ud800 \\ude00 \\u12"),
        (r'{"answer": "4\\"}', "4\\"),
        (r'{"answer": "4\"}', None),
        ('{"my_answer": 3, "Answer": 4, "answer" 5, answer: 6}', None),
        (f'{{"answer": "{LONGEST}"}}', LONGEST),
        (f'{{"answer": 2, "answer": "{LONGEST}1"}}', None),
        (f'{{"answer": 2, "answer": {LONGEST}1}}', None),
        ('{"answer": "' + r"\u0031" * MAX_ANSWER_CHARS + '"}', LONGEST),
        ('{"answer": "' + r"\u0031" * (MAX_ANSWER_CHARS + 1) + '"}', None),
    ],
)
def test_json(response: str, answer: str | None) -> None:
    assert extractor(["json"])(response) == answer


@given(st.text(max_size=50).filter(str.strip), st.booleans())
def test_what_json_writes_is_read_again(text: str, ascii_only: bool) -> None:
    # A control character before a letter is the exception: it is taken for LaTeX whose backslash was not doubled.
    plain = text.translate(dict.fromkeys(map(ord, "\b\f\r\t"), " "))
    written = json.dumps({"work": "...", "answer": plain}, ensure_ascii=ascii_only)
    assert extractor(["json"])(f"```json\n{written}\n```") == (plain.strip() or None)


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("So the answer is 4.", "4"),
        ("The final answer is 4\nbecause of that.", "4"),
        ("The answer is 3.14. Next, we", "3.14"),
        ("The answer is 0.333...", "0.333..."),
        ("Final Answer: 42", "42"),
        ("**Final Answer:** 42", "42"),
        ("**Final Answer**: **42**.", "42"),
        ("**The final answer is 42.** I hope so.", "42"),
        ("FINAL ANSWER IS: 42", "42"),
        ("the final\nanswer is 42", "42"),
        ("The final answer is $42$. I hope it is correct.", "42"),
        (r"The final answer is $(3,\frac{\pi}{2}).$ I hope it is correct.", r"(3,\frac{\pi}{2})"),
        ("The answer is $a. b$ there.", "$a. b$ there"),
        ("The answer is $5$ meters.", "$5$ meters"),
        ("The answer is $x = 1$ and $y = 2$.", "$x = 1$ and $y = 2$"),
        (r"The answer is $\$5$.", r"\$5"),
        ("The answer is $5 each.\nThe other is $6", "$5 each"),
        (r"The answer is \(7\).", "7"),
        ("The final answer is:\n\n\\[\n  x = 2\n\\]\nDone.", "x = 2"),
        ("The final answer is:\n$$\nx = 2\n$$", "x = 2"),
        (r"The final answer is: $\boxed{42}$. I hope", "42"),
        ("The answer is 4. Or rather, the answer is 5.", "5"),
        ("The answer is 4. Therefore the answer is", "4"),
        ("The answer is 4. The answer is . The answer is $$", "4"),
        ("Lathe answer is 4", None),
        ("The answer isolates 4", None),
        ("An answer is 4", None),
        ("The correct answer is B.", "B"),
        ("**Correct answer:** B", "B"),
        ("The incorrect answer is 4", None),
        ("The final answer to the problem is $4$.", "4"),
        ("The final answer, rounded to two places, is 3.14.", "3.14"),
        ("The answer of the sum is: **4**.", "4"),
        ("The answer to what is 2 is 4", None),
        ("The answer in x = 2 is 4", None),
        ("The answer is 4 because 2 + 2 = 4.", "4"),
        ("The answer is $x = 4$, since it fits, which is so.", "x = 4"),
        ("The answer is (1, 2), so we are done.", "(1, 2)"),
        ("The answer is 4 (since x > 0).", "4"),
        ("The answer is 1, 2 and 3.", "1, 2 and 3"),
        (r"The answer is $2\text{, since}$.", r"2\text{, since}"),
        ("The answer is , because 4", ", because 4"),
        ("The answer is not 5.", None),
        ("The answer is 4. It is plain that the answer is not 5.", "4"),
        ("The answer isn't 5.", None),
        ("Is it 5? no", None),
        ("Is the answer 5? No.", None),
        ("So the answer is 5? No.", None),
        ("If the answer is 5, then x = 2.", None),
        ("Suppose that the correct answer is 5.", None),
        ("That is not the correct answer: 5", None),
        ("The answer is because of 5", None),
        ("The answer is unknown.", None),
        ("答案是5。", "5"),
        ("最终答案为：$\\frac{1}{2}$，因为它是。", r"\frac{1}{2}"),
        ("正确答案：A、C；其他不对", "A、C"),
        ("答案应该是 4", "4"),
        ("答案不是5", None),
        ("答案是5吗？不是。", None),
        ("答案是否为5", None),
        ("如果答案是5", None),
        ("答案5", None),
        ("The answer 4", None),
        ("The answer is " + LONGEST + ".", None),
        ("The answer is " + LONGEST[1:] + ".", LONGEST[1:]),
    ],
)
def test_final_answer(response: str, answer: str | None) -> None:
    assert extractor(["final-answer"])(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("Answer: 4", "4"),
        ("so\nAnswer: 4\nfor all", "4"),
        ("**Answer:** $4$.", "4"),
        ("### Answer: 4", "4"),
        ("> - **Answer**: 4", "4"),
        ("ANSWER： 4", "4"),
        ("The final answer: 4", "4"),
        ("Answer:\n\n\\[ 4 \\]", "4"),
        (r"Answer: $\boxed{4}$ is it", "4"),
        ("Answer: 4\nAnswer:", "4"),
        ("Answer: 4, since 2 + 2 = 4", "4"),
        ("Answer: is it 5? no", None),
        ("Answer: not 5", None),
        ("Answer: Let's think step by step.", None),
        ("so the answer: 4", None),
        ("x" * 60 + " answer: 4", None),
        (" " * 60 + "answer: 4", None),
        ("Answer is 4", None),
        ("Answers: 4", None),
        ("Answer: " + LONGEST + "1", None),
    ],
)
def test_answer_line(response: str, answer: str | None) -> None:
    assert extractor(["answer-line"])(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("<answer>4</answer>", "4"),
        ("<think>so</think><answer>\n **$4$.** \n</answer>", "4"),
        (r"<answer>It is \boxed{4}, I think</answer>", "4"),
        ("<answer>We add. The final answer is 4. Done.</answer>", "4"),
        ("<answer>4</answer> or <answer>5</answer>", "5"),
        ("<answer>4</answer> or <answer>5", "4"),
        ("<answer>4</answer></answer>", "4"),
        ("<answer>4<answer>5</answer>", "5"),
        ("<answer>4</answer> in <answer> </answer>", None),
        ("</answer>4<answer>", None),
        ("<answer>4", None),
        ("<Answer>4</Answer>", None),
        (f"<answer>{LONGEST}</answer>", LONGEST),
        (f"<answer>{LONGEST}1</answer>", None),
        (f"<answer>{LONGEST}{LONGEST} \\boxed{{4}}</answer>", "4"),
    ],
)
def test_answer_tag(response: str, answer: str | None) -> None:
    assert extractor(["answer-tag"])(response) == answer


@pytest.mark.parametrize(
    ("response", "read", "if_finished", "never"),
    [
        (r"\boxed{1}", "1", "1", None),
        (r"<think>\boxed{1}", "1", None, None),
        (r"\boxed{0} <think>\boxed{1}", "1", "0", None),
        (r"<think>\boxed{1}</think> so \boxed{2}", "2", "2", "2"),
        (r"<think>\boxed{1}</think> so", "1", "1", None),
        (r"\boxed{1}</think> so \boxed{2}", "2", "2", "2"),
        (r"<think>\boxed{1}</think>\boxed{2}<think>\boxed{3}", "3", "2", "2"),
        (r"<think>a<think>\boxed{1}", "1", None, None),
        (r"[THINK]\boxed{1}[/THINK]\boxed{2}", "2", "2", "2"),
        (r"◁think▷\boxed{1}", "1", None, None),
        (r"<|channel|>analysis<|message|>\boxed{1}", "1", None, None),
        (r"<|channel|>analysis<|message|>\boxed{1}<|end|><|start|>assistant<|channel|>final<|message|>\boxed{2}",
         "2", "2", "2"),
    ],
)  # fmt: skip
def test_a_run_chooses_whether_thinking_is_read(
    response: str, read: str | None, if_finished: str | None, never: str | None
) -> None:
    found = [extractor(["boxed"], (), thinking)(response) for thinking in Thinking]
    assert found == [read, if_finished, never]


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("5 + 5 = 10\n#### 10", "10"),
        ("#### 10\r\n", "10"),
        ("#### 4\n#### 5\nThat is all.", "5"),
        ("#### 4\n####  \n", "4"),
        ("so #### 4 #### 5", "5"),
        ("##### 4 ####", "4"),
        ("#### **$1,234$.**", "1,234"),
        ("### 4", None),
        ("####", None),
        ("#### " + LONGEST, None),
        ("####" + LONGEST, LONGEST),
    ],
)
def test_hashes(response: str, answer: str | None) -> None:
    assert extractor(["hashes"])(response) == answer


def test_the_first_format_that_finds_an_answer_decides() -> None:
    response = '#### 1\n{"answer": 2}\nThe final answer is 3.\n\\fbox{4} \\boxed{}\nAnswer: 5\n<answer>6</answer>'
    answers = {"hashes": "1", "json": "2", "final-answer": "3", "fbox": "4", "answer-line": "5", "answer-tag": "6"}
    answers |= {"boxed": None}
    for first, answer in answers.items():
        assert extractor([first])(response) == answer
        assert extractor(["boxed", first])(response) == answer
        assert extractor([first, *answers])(response) == (answer or "1")
    assert extractor(list(answers))("nothing") is None
    with pytest.raises(ValueError, match="boxes"):
        extractor(["boxes"])


# Every piece that the scanners stop at, and every code point there is: surrogates and NUL too.
PIECES = st.sampled_from(
    [
        "\\boxed", "\\fbox", "{", "}", "\\", '"', '"answer"', '"final_answer":', "answer", "the answer is ", "is", ":",
        "Final Answer: ", "$", "$$", "\\(", "\\)", "\\[", "\\]", "**", ".", " ", "\n", "####", "#", "4", "e", "\\u",
        "d83d", "\ud800", "\udc00", "\0", ",", "<answer>", "</answer>", "答案", "是", "to ", "not ", "?",
        "because ", "if ",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES | st.characters(codec=None), max_size=40).map("".join)


@pytest.mark.parametrize("name", AnswerFormat)
@given(response=TEXTS)
def test_any_text_is_read(name: AnswerFormat, response: str) -> None:
    answer = extractor([name])(response)
    assert answer is None or (answer == answer.strip() and 0 < len(answer) <= MAX_ANSWER_CHARS)
    if answer is not None and name is not AnswerFormat.JSON:
        assert answer in response
    if answer is not None and not any("\ud800" <= char <= "\udfff" for char in response):
        answer.encode()  # what came as UTF-8 can be answered as UTF-8


HOSTILE = [
    "{", "}", "\\", "\\boxed{", "\\fbox ", '"', '\\"', '"answer"', '"answer":', '"answer":"', '"answer":"\\"',
    '"answer":1', '"answer":"" ', '"answer"   ', '"final_answer" : ', "the answer is ", "the answer     ",
    "Final Answer: \n", "the answer is . ", "the answer is $", "the answer is $$\n", "the answer is \\[",
    "the answer is ****\n", "nswerNSWER", "#", "#### ", "####\n", "#### #\n", " ", "\n", "$", ". ", "....", "\\ud800",
    "<answer>", "</answer>", "<answer>\\boxed{", "答案", "答案是", "答案是?", "the answer is not ", "the answer is ?",
    "the answer to ", "the answer, because ", "\nAnswer: ", "\nAnswer: ?", "\nAnswer: not ", ", ", "the answer is $ ",
]  # fmt: skip
OPENINGS = [
    "", '"answer":"', '"answer":1', "the answer is ", "the answer is $", "the answer is \\[", "#### ", "<answer>",
    "\nAnswer: ", "答案是",
]  # fmt: skip
MILLION = 1_000_000
SECONDS = 2.0
"""The slowest takes 0.2 s here, the formats of a run one after the other 0.5 s; a quadratic scan takes hours."""


@pytest.mark.timed
@pytest.mark.parametrize("name", AnswerFormat)
def test_time_is_linear(name: AnswerFormat) -> None:
    read = extractor([name])
    for piece in HOSTILE:
        for opening in OPENINGS:
            text = (opening + piece * (MILLION // len(piece) + 1))[:MILLION]
            assert _seconds(read, text) < SECONDS, (opening, piece)


@pytest.mark.skipif(not ADVERSARIAL.exists(), reason=f"the adversarial answers are not here: {ADVERSARIAL}")
@pytest.mark.parametrize("name", AnswerFormat)
def test_adversarial_answers_are_read_in_time(name: AnswerFormat) -> None:
    read = extractor([name])
    for case in json.loads(gzip.decompress(ADVERSARIAL.read_bytes())):
        text = case["text"]
        assert _seconds(read, text) < SECONDS, case["id"]
        assert _seconds(read, text * (MILLION // max(1, len(text)) + 1)) < SECONDS, case["id"]


def _seconds(read: object, text: str) -> float:
    assert callable(read)
    began = time.process_time()
    read(text)
    return time.process_time() - began
