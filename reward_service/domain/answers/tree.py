"""Define the tree of an answer: what the parser has read, before anything is computed."""

from typing import NamedTuple, TypeAlias

from reward_service.domain.answers.values import (
    Based,
    Bracketed,
    Builder,
    Chain,
    Joined,
    Listed,
    Matrix,
    Number,
    Words,
)


class Constant(NamedTuple):
    r"""A number as it is written: 12, 0.25, 0.\overline{3}, 1\frac12."""

    value: Number


class Name(NamedTuple):
    """A symbol with its primes and its index, or a constant: x, x_1, pi, e, i, oo."""

    name: str


class Addition(NamedTuple):
    r"""Terms, each with the sign in front of it: +, -, \pm or \mp."""

    terms: tuple[tuple[str, "Node"], ...]


class Product(NamedTuple):
    """Factors, each with the sign in front of it: *, /, or nothing where they stand side by side."""

    factors: tuple[tuple[str, "Node"], ...]


class Signed(NamedTuple):
    r"""A factor behind signs, which are worth one: -, \pm or \mp."""

    sign: str
    inside: "Node"


class Quotient(NamedTuple):
    """What stands above and below a line."""

    above: "Node"
    below: "Node"


class Root(NamedTuple):
    """A root of a whole degree."""

    inside: "Node"
    degree: int


class Power(NamedTuple):
    """A base and its exponent."""

    base: "Node"
    exponent: "Node"


class Factorial(NamedTuple):
    """What stands before an exclamation mark."""

    inside: "Node"


class Marked(NamedTuple):
    """What a sign for per cent (pct), degrees (deg) or dollars (usd) belongs to."""

    mark: str
    inside: "Node"


class Call(NamedTuple):
    """A function that is known: its arguments, and whether brackets hold them; its exponent and base, if it has one."""

    function: str
    arguments: tuple["Node", ...]
    bracketed: bool = True
    exponent: "Node | None" = None
    base: "Node | None" = None


class Applied(NamedTuple):
    """A name that is a function where brackets follow: f(2)."""

    name: str
    arguments: tuple["Node", ...]


class Measure(NamedTuple):
    """A number with its unit, or what it counts; `factor` is that of a word in between: 5 million."""

    inside: "Node"
    factor: int
    unit: str


class Limit(NamedTuple):
    """The limit of a body where a name goes to a point."""

    name: str
    point: "Node"
    body: "Node"


Node: TypeAlias = (
    Constant | Name | Addition | Product | Signed | Quotient | Root | Power | Factorial | Marked | Call | Applied
    | Measure | Limit | Based | Words | Bracketed["Node"] | Listed["Node"] | Builder["Node"] | Joined["Node"]
    | Matrix["Node"] | Chain["Node"]
)  # fmt: skip


class Tree(NamedTuple):
    """All of an answer; `signs` is how many ± it holds, `matrices` whether it holds any."""

    root: Node
    signs: int = 0
    matrices: bool = False
