"""The one parser: it reads any text to a tree within bounds or refuses it, and the tree is what stands in the text."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings

from reward_service.domain.answers.algebra import Algebra
from reward_service.domain.answers.evaluating import values_of
from reward_service.domain.answers.parser import parse
from reward_service.domain.answers.tokens import MAX_DEPTH, tokens_of
from reward_service.domain.answers.tree import (
    Addition,
    Call,
    Constant,
    Limit,
    Marked,
    Measure,
    Name,
    Node,
    Power,
    Product,
    Quotient,
    Root,
    Signed,
    Tree,
)
from reward_service.domain.answers.values import Based, Bracketed, Chain, Listed, NotReadError, UndefinedError, Words
from tests.domain.answer_texts import texts

MOST_NODES_OF_A_TOKEN = 5
"""Three letters are a product of three names."""
MOST_NODES_OF_A_LEVEL = 10

X, Y, ONE, TWO = Name("x"), Name("y"), Constant(1), Constant(2)


def tree_of(text: str) -> Tree:
    return parse(tokens_of(text))


def nodes_of(root: Node) -> Iterator[int]:
    """Yield the depth of each node."""
    waiting: list[tuple[object, int]] = [(root, 1)]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, tuple):
            named = hasattr(node, "_fields")
            if named:
                yield depth
            waiting += [(part, depth + named) for part in node]


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("1/2x", Product((("", ONE), ("/", TWO), ("", X)))),
        ("xy^2", Product((("", X), ("", Power(Y, TWO))))),
        ("-x+2", Addition((("+", Signed("-", X)), ("+", TWO)))),
        (r"1\frac12", Constant(1 + ONE.value / 2)),
        (r"2\frac{x}{2}", Product((("", TWO), ("", Quotient(X, TWO))))),
        (r"\sqrt[3]{x}", Root(X, 3)),
        (r"\sin 2x", Call("sin", (Product((("", TWO), ("", X))),), bracketed=False)),
        (r"\log_2(x)", Call("log", (X,), base=TWO)),
        (r"\lim_{x\to 1}y", Limit("x", ONE, Y)),
        ("(x)", Bracketed("(", (X,), ")")),
        ("{x}", X),
        ("1,x", Listed((ONE, X))),
        ("1<x", Chain((ONE, X), ("<",), (None, "x"))),
        ("area=2", Chain((Words("area"), TWO), ("=",), ("area", None))),
        ("2 cm", Measure(TWO, 1, "cm")),
        (r"2^\circ", Marked("deg", TWO)),
        ("12_8", Based("12", 8)),
        (r"k_BT", Product((("", Name("k_B")), ("", Name("T"))))),
    ],
)
def test_a_tree_is_what_stands_in_the_text(text: str, root: Node) -> None:
    assert tree_of(text).root == root
    assert type(tree_of(text).root) is type(root)


@settings(max_examples=600, deadline=None)
@given(texts())
@example("(" * 2000 + ")" * 2000)
@example("2^" * 2000 + "2")
@example("x^" * 2000 + "2")
@example("5" + "%" * 2000)
@example("\\sin" * 1000 + "x")
@example("\\frac" * 1000)
@example("\\sqrt" * 1000)
@example("\\lim_{x\\to0}" * 300)
@example("\\$" * 1000 + "5")
@example("-" * 4000 + "1")
@example("|" * 2000)
def test_any_text_is_a_bounded_tree_or_refused(text: str) -> None:
    try:
        tokens = tokens_of(text)
        tree = parse(tokens)
    except NotReadError:
        return
    depths = list(nodes_of(tree.root))
    assert len(depths) <= MOST_NODES_OF_A_TOKEN * len(tokens)
    assert max(depths) <= MOST_NODES_OF_A_LEVEL * MAX_DEPTH
    try:
        values = values_of(tree, Algebra())
    except (NotReadError, UndefinedError):
        return
    assert len(values) == (2 if tree.signs else 1)
