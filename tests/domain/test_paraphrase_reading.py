"""What is read of a text: prose, formulas and figures, and the numbers in them."""

from fractions import Fraction

import pytest

from reward_service.domain.paraphrases.reading import MOST_CHARS, TextReading, read_text
from reward_service.domain.paraphrases.tokens import Kind, segments_of


def said(text: str) -> list[list[Fraction]]:
    return [list(mention.values) for mention in read_text(text).mentions]


def kept(text: str) -> list[str]:
    reading = read_text(text)
    return [text[each.start : each.end] for at, each in enumerate(reading.mentions) if at not in reading.loose]


def math_of(text: str) -> list[str]:
    return [text[each.start : each.end] for each in segments_of(text) if each.kind is Kind.MATH]


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("If $x=2$ and \\(y=3\\), then \\[z=4\\] and $$w=5$$.", ["x=2", "y=3", "z=4", "w=5"]),
        ("\\begin{align*}x&=2\\\\y&=3\\end{align*}", ["x&=2\\\\y&=3"]),
        ("It costs $3 plus $2 for each hour.", []),
        ("She has $5 and he has \\$7; $x$ is more.", ["x"]),
        ("Broken $x + 1 is here", []),
        ("\\$4 and $4$", ["4"]),
        ("line \\\\[2ex] of $a$", ["a"]),
    ],
)
def test_formulas_are_told_from_prose_and_money(text, formulas):
    assert math_of(text) == formulas


def test_a_figure_is_neither_and_its_labels_are_known():
    text = 'Find $x$. [asy] draw((0,0)--(30,40)); label("$25^\\circ$", (1,2)); label("B", (3,4)); [/asy] What is it?'
    reading = read_text(text)

    assert reading.has_figure
    assert reading.mentions == []
    assert reading.drawn == {25}
    assert {30, 40} <= reading.accounts.said


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("12 and 1,234 and $12{,}000$ and $3,\\!456$", [[12], [1234], [12000], [3456]]),
        ("the list {100,200} and (1,234)", [[100], [200], [1], [234]]),
        ("3.50 or .5", [[Fraction(7, 2)], [Fraction(1, 2)]]),
        ("$\\frac{3}{4}$ and $\\frac12$ and 5/8", [[Fraction(3, 4)], [Fraction(1, 2)], [Fraction(5, 8)]]),
        ("$2\\frac{1}{2}$", [[Fraction(5, 2)]]),
        ("40% and 40\\% and 40 percent", [[40, Fraction(2, 5)]] * 3),
        ("$2^{10}$ and $5!$", [[1024], [5, 120]]),
        ("$\\frac{\\pi}{4}$ and $\\frac{7\\pi}{6}$", [[45], [210]]),
        ("twenty-five, one hundred and five, two thousand three hundred", [[25], [105], [2300]]),
        ("two-thirds and three fourths and one half", [[Fraction(2, 3)], [Fraction(3, 4)], [Fraction(1, 2)]]),
        ("half an hour", [[Fraction(1, 2), 2, 30, 1800]]),
        ("the 105th and the twenty-first", [[105], [21]]),
        ("5 million", [[5_000_000]]),
        ("$\\log_432$ and $x_{12}$", [[4], [32], [12]]),
        ("½ of ²", [[Fraction(1, 2)]]),
        ("rounded to two decimal places, to the nearest hundredth", []),
        ("three-digit", [[3, 100, 1000, 99, 999]]),
    ],
)
def test_numbers_in_all_their_spellings(text, values):
    assert said(text) == values


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("$1,000.\\overline{3}$", Fraction(3001, 3)),
        ("$1.5.\\overline{3}$", Fraction(3, 2)),
        ("9" * 5000 + ".\\overline{3}", 10**40 - 1),
        ("9" * 5000 + ".373737\\ldots", 10**40 - 1),
    ],
    ids=["commas", "two points", "long", "long with dots"],
)
def test_a_period_behind_any_number_is_read_or_passed_over(text, first):
    assert said(text)[0][0] == first


@pytest.mark.parametrize(
    ("text", "within"),
    [
        ("less than 100", 99),
        ("more than 7", 8),
        ("$n < 50$", 49),
        ("$50 < n$", 51),
        ("no more than 7", None),
        ("at least 7", None),
        ("3 more than 7", None),
    ],
)
def test_the_whole_number_just_inside_a_strict_bound(text, within):
    assert read_text(text).mentions[-1].within == within


@pytest.mark.parametrize(
    ("text", "firm"),
    [
        ("$1, 2, 3, \\ldots, 9, 10$", ["1", "10"]),
        ("4, 9, 14, 19", ["4"]),
        ("4, 9, 15", ["4", "9", "15"]),
        ("A peak number, for example 284, has 3 digits. Use 5.", ["5"]),
        ("Palindromes (such as 1221) with 6 digits", ["6"]),
        ('Write it like "sin 7". Then add 5.', ["5"]),
        ("$1^3+2^3+\\cdots+40^3$", ["40^3"]),
    ],
)
def test_runs_and_examples_need_not_be_kept(text, firm):
    assert kept(text) == firm


def test_what_stands_behind_the_limit_is_not_read():
    reading: TextReading = read_text("word " * 10_000)

    assert len(reading.text) == MOST_CHARS


def test_formulas_are_the_same_under_other_letters():
    (one,), (other,) = read_text("$x^2 - 7x = 12$").formulas, read_text("$a^{2}-7\\cdot a=12.0$").formulas

    assert one.skeleton == other.skeleton
    assert one.numbers == other.numbers == ("2", "7", "12")
    assert one.letters != other.letters
