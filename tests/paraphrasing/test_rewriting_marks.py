"""What is read of a rewriter's response."""

import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reward_service.paraphrasing.prompts import INSTRUCTIONS, marked_text, rewriting_prompt, unwrapped

PAPER, OURS = INSTRUCTIONS["paper"].markers, INSTRUCTIONS["reword"].markers
QUESTION = "Tom has 3 apples and buys 4 more. How many has he?"
REWRITTEN = "Ann owns 3 pens and gets 4 more. How many pens does she own?"

HOSTILE = st.sampled_from([
    "", "{", "}", "{0}", "{question}", "%s", "$x$", "\\boxed{4}", "```", '"', "REWRITE:", "ORIGINAL:",
    "### RESULT_START", "### RESULT_END", "<rewritten>", "</rewritten>", "<think>", "</think>", "\ud800", "\x00", "\n",
    " ", "x", "7",
])  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(HOSTILE, max_size=8).map("".join))
MARKERS = st.sampled_from([PAPER, OURS])


def as_told(text: str, question: str, name: str) -> str:
    """A response as the instruction of that name asks for it."""
    if name == "paper":
        return f"### RESULT_START\nORIGINAL:\n{question}\nREWRITE:\n{text}\n### RESULT_END"
    return f"<rewritten>\n{text}\n</rewritten>"


@pytest.mark.parametrize(
    "response",
    [
        f"### RESULT_START\nORIGINAL:\n{QUESTION}\nREWRITE:\n{REWRITTEN}\n### RESULT_END",
        f"### RESULT_START\nORIGINAL:\n{QUESTION}\nREWRITE:\n{REWRITTEN}",
        f"ORIGINAL:\n{QUESTION}\nREWRITE: {REWRITTEN}\n### RESULT_END",
        f"REWRITE:\n{REWRITTEN}",
        f"<think>\nREWRITE: no, other words\n</think>\n\n### RESULT_START\nREWRITE:\n{REWRITTEN}\n### RESULT_END",
        f"thought that the template opened</think>REWRITE:{REWRITTEN}",
        f"Sure!\n```\n### RESULT_START\nORIGINAL:\nx\nREWRITE:\n{REWRITTEN}\n### RESULT_END\n```\nAnything else?",
        f"### RESULT_START\nREWRITE:\n```text\n{REWRITTEN}\n```\n### RESULT_END",
        f'### RESULT_START\nREWRITE:\n"{REWRITTEN}"\n### RESULT_END',
        f"### RESULT_START\nREWRITE:\n**Rewritten question:** “{REWRITTEN}”\n### RESULT_END",
        f"Rewritten problem:\n{REWRITTEN}",
        f"Here is the rephrased question: {REWRITTEN}",
        f"  {REWRITTEN}\n",
    ],
)
def test_what_the_papers_markers_hold(response):
    found = marked_text(response, PAPER, QUESTION)
    assert found.text == REWRITTEN
    assert found.marked == (response.strip() != REWRITTEN)


@pytest.mark.parametrize(
    "response",
    [
        f"<rewritten>{REWRITTEN}</rewritten>",
        f"<rewritten>\n{REWRITTEN}",
        f"{REWRITTEN}</rewritten> I kept all numbers.",
        f"<think>hm</think><rewritten>{REWRITTEN}</rewritten><rewritten>another one</rewritten>",
        f"```\n<rewritten>{REWRITTEN}</rewritten>\n```",
        f"<rewritten>\n```latex\n{REWRITTEN}\n```\n</rewritten>",
        f"<rewritten>Paraphrase: {REWRITTEN}</rewritten>",
    ],
)
def test_what_our_markers_hold(response):
    assert marked_text(response, OURS, QUESTION) == (REWRITTEN, True)


@pytest.mark.parametrize(
    "response", ["", " \n", "<think> so far", " <think>x", "### RESULT_START", "<rewritten></rewritten>"]
)
def test_a_response_that_says_nothing(response):
    assert not marked_text(response, PAPER if "RESULT" in response else OURS, QUESTION).text


def test_a_response_without_markers_is_taken_as_it_is_for_the_checks_to_see():
    said = "3 + 4 = 7, so \\boxed{7}."
    assert marked_text(said, PAPER, QUESTION) == (said, False)


def test_what_may_be_the_original_repeated_is_not_taken_for_its_paraphrase():
    assert not marked_text(f"### RESULT_START\nORIGINAL:\n{QUESTION}\n### RESULT_END", PAPER, QUESTION).marked


@pytest.mark.parametrize(
    "question",
    ["What does REWRITE: mean in ORIGINAL:?", "What is ### RESULT_END after ### RESULT_START?", "Is </think> a word?"],
)
def test_markers_in_the_question_are_told_from_those_around_it(question):
    paraphrase = f"In other words: {question} And why?"
    for name, markers in (("paper", PAPER), ("reword", OURS)):
        assert marked_text(as_told(paraphrase, question, name), markers, question) == (paraphrase, True)


@pytest.mark.parametrize(
    "text", ['"yes" or "no"?', "```\na\n```\nand\n```\nb\n```", '"', "“one” and “two”", "A question: 2?"]
)
def test_what_does_not_hold_the_whole_stays(text):
    assert unwrapped(text) == text


@given(TEXTS, MARKERS, TEXTS)
def test_it_never_raises_and_adds_nothing(response, markers, question):
    assert marked_text(response, markers, question).text in response


@given(TEXTS, TEXTS, st.sampled_from(["paper", "reword"]))
def test_what_was_written_between_the_markers_comes_back(text, question, name):
    markers = INSTRUCTIONS[name].markers
    own = [markers.end, "</think>", *([markers.within] if markers.within else [])]
    assume(not any(marker in text for marker in own))
    assume(unwrapped(text) == text)
    assert marked_text(as_told(text, question, name), markers, question) == (text, True)


@given(TEXTS, st.sampled_from(sorted(INSTRUCTIONS)))
def test_a_question_is_told_as_it_is(question, name):
    (message,) = rewriting_prompt(INSTRUCTIONS[name], question).messages
    shown = question.encode(errors="replace").decode().strip()
    assert message.content == f"{INSTRUCTIONS[name].text}\n{shown}"


@pytest.mark.parametrize(
    "piece", ["REWRITE:", "</think>", "### RESULT_END", '"', "```\n", "**", "<rewritten>", "rewritten "]
)
@pytest.mark.parametrize("markers", [PAPER, OURS], ids=["paper", "ours"])
def test_time_is_linear_in_the_response(piece, markers):
    response = piece * (2_000_000 // len(piece))
    began_s = time.process_time()
    marked_text(response, markers, QUESTION)
    assert time.process_time() - began_s < 1.0
