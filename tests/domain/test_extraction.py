r"""Extraction of the last complete \boxed{}: what counts, and that no text can make it slow."""

import time

import pytest
from co_rewarding_schema.limits import MAX_ANSWER_CHARS
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.extraction import last_boxed


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"so \boxed{4}", "4"),
        (r"\boxed{1} and then \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{a {b {c}} d}", "a {b {c}} d"),
        (r"\boxed{1 + \boxed{2}}", "2"),
        (r"\boxed{4}, no: \boxed{5", "4"),
        (r"\boxed{4}, no: \boxed", "4"),
        (r"\boxed{4}, no: \boxed 5", "4"),
        (r"\boxed {7}", "7"),
        ("\\boxed\n{7}", "7"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{ x \right.}", r"\left\{ x \right."),
        (r"a stray { before \boxed{3}", "3"),
        (r"a stray } before \boxed{3} and } after", "3"),
        (r"\\boxed{8}", "8"),
        (r"\boxed{\begin{matrix}1\\{2}\end{matrix}}", r"\begin{matrix}1\\{2}\end{matrix}"),
        ("\\boxed{ \t 9\n}", "9"),
        (r"\boxed{}", None),
        (r"\boxed{   }", None),
        (r"\boxed{1", None),
        ("no box", None),
        ("", None),
        (r"\boxed{" + "1" * MAX_ANSWER_CHARS + "}", "1" * MAX_ANSWER_CHARS),
        (r"\boxed{" + "1" * (MAX_ANSWER_CHARS + 1) + "}", None),
    ],
)
def test_what_counts(response: str, answer: str | None) -> None:
    assert last_boxed(response) == answer


balanced = st.recursive(
    st.text(alphabet="ab1+ ", max_size=5), lambda inner: st.lists(inner.map("{{{}}}".format), max_size=3).map("".join)
)


@given(before=st.text(), content=balanced.filter(str.strip), after=st.text(alphabet="xyz .}", max_size=20))
def test_a_complete_box_at_the_end_is_found(before: str, content: str, after: str) -> None:
    assert last_boxed(before + " \\boxed{" + content + "}" + after) == content.strip()


@given(st.text(alphabet="\\boxed{} \n", max_size=200))
def test_any_text_is_read(response: str) -> None:
    answer = last_boxed(response)
    assert answer is None or (answer in response and answer.strip() == answer)


HOSTILE = {
    "unclosed boxes": r"\boxed{",
    "open braces": "{",
    "closed braces": "}",
    "backslashes": "\\",
    "boxes without braces": r"\boxed ",
    "empty boxes": r"\boxed{}",
    "deep boxes": r"\boxed{{",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_is_linear(name: str) -> None:
    def seconds(length: int) -> float:
        text = (r"\boxed{1} " + HOSTILE[name] * length)[:length]
        return min(_timed(text) for _ in range(3))

    # Ten times the text may cost ten times the time; a quadratic scan would cost a hundred.
    assert seconds(1_000_000) < 40 * max(seconds(100_000), 1e-3)
    assert seconds(1_000_000) < 5.0


def _timed(text: str) -> float:
    began = time.process_time()
    last_boxed(text)
    return time.process_time() - began
