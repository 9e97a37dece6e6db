"""Choose how generously notation is read, where mathematics alone does not decide."""

from enum import StrEnum


class Conventions(StrEnum):
    """A run's choice. docs/answers.md has the whole table.

    LENIENT reads what a reader would let pass: a unit, a degree or dollar sign left out, a list in another order.
    STRICT takes an answer as it is written.
    """

    LENIENT = "lenient"
    STRICT = "strict"
