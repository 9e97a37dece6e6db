"""Laws of reading and comparing: total, symmetric, reflexive, sound against exact arithmetic, blind to names."""

import random

import pytest
from co_rewarding_schema.vocabulary import Conventions
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from reward_service.domain.answers.comparing import Proof, compare, contradict
from reward_service.domain.answers.reading import read_answer
from tests.domain.answer_texts import texts
from tests.domain.answer_trees import NoValueError, Tree, equal_values, exact, latex, renamed, rewritten, trees, values

BOTH = st.sampled_from(Conventions)
RANDOM = st.randoms(use_true_random=False)


def proof(one: str, other: str, conventions: Conventions = Conventions.LENIENT) -> Proof:
    return compare(read_answer(one, conventions), read_answer(other, conventions))


def no_range(*answers: str) -> bool:
    """Whether none is of the form 3-2, which may be a score or a range."""
    return not any(read_answer(answer).meanings[0].key.startswith("range: ") for answer in answers)


def has_values(*expressions: Tree) -> bool:
    try:
        return all(values(each) for each in expressions)
    except NoValueError:
        return False


def stacked(tree: Tree, *, below: bool = False) -> bool:
    """Whether a quotient stands below a line."""
    line = tree.kind == "/" or (tree.kind == "^" and tree.number < 0)
    if line and below:
        return True
    *rest, last = tree.parts or (None,)
    return any(stacked(part, below=below) for part in rest if part) or (
        last is not None and stacked(last, below=below or line)
    )


@settings(max_examples=700, deadline=None)
@given(texts(), BOTH)
@example("\x00", Conventions.LENIENT)
@example("\ud800", Conventions.STRICT)
@example("", Conventions.LENIENT)
@example("\\", Conventions.LENIENT)
@example("{" * 4096, Conventions.LENIENT)
@example("9" * 4096, Conventions.STRICT)
@example("\\sin()", Conventions.LENIENT)
@example("\\exp(1,2)", Conventions.STRICT)
def test_any_text_is_read_and_the_same_way_twice(text: str, conventions: Conventions) -> None:
    one, other = read_answer(text, conventions), read_answer(text, conventions)
    assert one.text == text
    assert one.meanings
    assert [meaning.key for meaning in one.meanings] == [meaning.key for meaning in other.meanings]
    assert one.marks == other.marks


@settings(max_examples=400, deadline=None)
@given(texts(), texts(), BOTH)
def test_comparing_is_symmetric_and_reflexive(a: str, b: str, conventions: Conventions) -> None:
    assert proof(a, b, conventions) is proof(b, a, conventions)
    assert proof(a, a, conventions) is Proof.SAME


@given(texts(), texts(), BOTH)
def test_equal_keys_are_equal_answers_unless_their_marks_contradict(a: str, b: str, conventions: Conventions) -> None:
    one, other = read_answer(a, conventions), read_answer(b, conventions)
    if one.meanings[0].key == other.meanings[0].key:
        assert compare(one, other) is Proof.SAME or contradict(one, other)
    assert len({meaning.key for meaning in one.meanings}) == len(one.meanings)


@settings(max_examples=300, deadline=None)
@given(trees(), RANDOM, BOTH)
def test_two_ways_to_write_an_expression_are_the_same(tree: Tree, rng: random.Random, conventions: Conventions) -> None:
    assume(has_values(tree) and not stacked(tree))
    one, other = latex(tree, rng), latex(tree, rng)
    assume(no_range(one, other))
    assert proof(one, other, conventions) is Proof.SAME


@settings(max_examples=200, deadline=None)
@given(trees(), RANDOM, BOTH)
def test_no_way_to_reach_a_value_is_proved_different(tree: Tree, rng: random.Random, conventions: Conventions) -> None:
    other = rewritten(tree, rng)
    assume(has_values(tree, other))
    assert equal_values(tree, other)
    written = latex(tree, rng), latex(other, rng)
    assume(no_range(*written))
    assert proof(*written, conventions) is not Proof.DIFFERENT


@settings(max_examples=300, deadline=None)
@given(trees(leaves="n"), trees(leaves="n"), RANDOM)
def test_rational_numbers_are_the_same_exactly_where_their_values_are(a: Tree, b: Tree, rng: random.Random) -> None:
    try:
        expected = Proof.SAME if exact(a) == exact(b) else Proof.DIFFERENT
    except NoValueError:
        assume(False)
    one, other = latex(a, rng), latex(b, rng)
    assume(no_range(one, other))
    assert proof(one, other) is expected


@settings(max_examples=300, deadline=None)
@given(trees(), trees(), RANDOM)
def test_what_differs_in_value_is_never_the_same(a: Tree, b: Tree, rng: random.Random) -> None:
    assume(has_values(a, b))
    wrong = Proof.DIFFERENT if equal_values(a, b) else Proof.SAME
    one, other = latex(a, rng), latex(b, rng)
    assume(no_range(one, other))
    assert proof(one, other) is not wrong


@settings(max_examples=300, deadline=None)
@given(trees(), st.data(), RANDOM)
def test_one_changed_leaf_is_never_the_same(tree: Tree, data: st.DataObject, rng: random.Random) -> None:
    other = changed(tree, data)
    assume(has_values(tree, other) and not equal_values(tree, other))
    assert proof(latex(tree, rng), latex(other, rng)) is not Proof.SAME


def changed(tree: Tree, data: st.DataObject) -> Tree:
    """The tree with one leaf more by one, or another symbol."""
    if not tree.parts:
        if tree.kind == "symbol":
            return Tree("symbol", name="y" if tree.name == "x" else "x")
        return Tree(tree.kind, number=tree.number + 1)
    at = data.draw(st.integers(0, len(tree.parts) - 1))
    parts = tuple(changed(part, data) if place == at else part for place, part in enumerate(tree.parts))
    return Tree(tree.kind, parts, tree.number)


@settings(max_examples=200, deadline=None)
@given(trees(leaves="ns"), st.booleans(), trees(leaves="ns"), st.integers(0, 2**32), st.permutations("xyabt"), BOTH)
def test_other_names_for_the_symbols_of_both_keep_the_verdict(
    a: Tree, equal: bool, b: Tree, seed: int, names: list[str], conventions: Conventions
) -> None:
    if equal:
        b = rewritten(a, random.Random(seed))
    assume(has_values(a, b))
    table = dict(zip("xyabt", names, strict=True))
    before = [latex(tree, random.Random(seed)) for tree in (a, b)]
    after = [latex(renamed(tree, table), random.Random(seed)) for tree in (a, b)]
    assert proof(before[0], before[1], conventions) is proof(after[0], after[1], conventions)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (r"\frac{\sqrt{7}}{81+\frac{b}{y}}", r"\frac{\sqrt{7}}{\frac{b}{y}+81}"),
        (r"\frac{\sqrt{23}}{\frac{2}{t}+1}", r"\frac{\sqrt{23}}{1+\frac{2}{t}}"),
    ],
)
def test_terms_below_a_line_may_come_in_any_order(a: str, b: str) -> None:
    assert proof(a, b) is Proof.SAME
