"""The stand-in has math-verify's signatures, and takes its configurations."""

import inspect

import math_verify
import pytest
from co_rewarding_answers import close
from co_rewarding_answers import math_verify as ours
from co_rewarding_answers.math_verify import parse, verify


@pytest.fixture(scope="module", autouse=True)
def _judge_ends():
    yield
    close()


@pytest.mark.parametrize("name", ["parse", "verify"])
def test_the_signatures_are_math_verifys(name: str) -> None:
    theirs, mine = (inspect.signature(getattr(module, name)).parameters for module in (math_verify, ours))
    assert list(theirs) == list(mine)
    plain = [each for each in theirs if each != "extraction_config"]
    assert [theirs[each].default for each in plain] == [mine[each].default for each in plain]


@pytest.mark.parametrize("name", ["LatexExtractionConfig", "ExprExtractionConfig", "StringExtractionConfig"])
def test_the_configurations_are_math_verifys(name: str) -> None:
    theirs, mine = (inspect.signature(getattr(module, name)).parameters for module in (math_verify, ours))
    assert list(theirs) == list(mine)


@pytest.mark.parametrize(
    ("gold", "response", "equal"),
    [
        ("$\\frac{1}{2}$", "So the final answer is $0.5$.", True),
        ("1/2", r"\boxed{\frac{1}{2}}", True),
        ("x+1", r"\boxed{1+x}", True),
        ("1/2", "I wrote 1/2 somewhere,\nand 7 elsewhere", False),
        ("1/2", "", False),
        ("", "1/2", False),
        (r"\int_{0}^{1} x^{x} dx", r"\boxed{\frac{3}{4}}", False),
    ],
)
def test_a_reward_function_of_math_verifys_users(gold: str, response: str, equal: bool) -> None:
    assert verify(parse(gold), parse(response)) is equal
    assert (
        verify(parse(gold, parsing_timeout=None), parse(response, parsing_timeout=None), timeout_seconds=None) is equal
    )


@pytest.mark.parametrize("module", [math_verify, ours])
def test_configurations_choose_what_is_read(module: object) -> None:
    latex, strings = module.LatexExtractionConfig, module.StringExtractionConfig  # type: ignore[attr-defined]
    assert parse(r"\boxed{5} and the answer is $6$", [latex(boxed_match_priority=-1)]) == ["6"]
    assert parse("5", [latex(try_extract_without_anchor=False)]) == []
    assert parse(r"\boxed{5}", [latex(try_extract_without_anchor=False)]) == ["5"]
    assert parse("The answer is (B).", [strings()]) == ["(B)"]
    assert parse("The answer is 7.", [strings()]) == []


def test_what_is_undecided_is_said_where_it_is_asked_for() -> None:
    pair = r"\int_{0}^{1} x^{x} dx", r"\frac{3}{4}"
    assert verify(*pair) is False
    with pytest.raises(ours.UndecidedError, match="neither"):
        verify(*pair, raise_on_error=True)
