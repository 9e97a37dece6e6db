"""What crosses the wire is stated once: no other class has a value's fields, and the table has each kind of problem."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import co_rewarding_schema
import msgspec
import pytest
from co_rewarding_schema.problems import ProblemKind

ROOT = Path(__file__).parents[2]
PACKAGES = ("reward_service", "clients", "trainer")
FEW = 4
"""A value with fewer fields has the fields of others by chance."""

ALIKE = 0.75
"""The share of a value's fields that another class may not state."""


def values() -> Iterator[type[msgspec.Struct]]:
    """Yield the structures of the schema."""
    for module in pkgutil.iter_modules(co_rewarding_schema.__path__, "co_rewarding_schema."):
        for each in vars(importlib.import_module(module.name)).values():
            if isinstance(each, type) and issubclass(each, msgspec.Struct) and each.__module__ == module.name:
                yield each


def classes() -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each class of the project outside the schema, with the fields that its body annotates."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "co_rewarding_schema" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    stated = {
                        each.target.id
                        for each in node.body
                        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
                    }
                    yield f"{path.relative_to(ROOT)}: {node.name}", frozenset(stated)


STATED = list(classes())


@pytest.mark.parametrize("value", sorted(values(), key=lambda value: value.__name__), ids=lambda value: value.__name__)
def test_no_class_states_the_fields_of_a_value_again(value: type[msgspec.Struct]) -> None:
    fields = frozenset(value.__struct_fields__)
    if len(fields) < FEW:
        return
    again = {name: len(fields & stated) for name, stated in STATED if len(fields & stated) >= ALIKE * len(fields)}
    assert not again, f"{value.__name__} of the schema has these fields: derive the class, or use the value"


def test_the_table_of_problems_is_what_the_service_answers() -> None:
    """A kind that nothing answers is a row too many; a kind that is not in the table cannot be written."""
    used: set[str] = set()
    for path in (ROOT / "reward_service").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ProblemKind":
                used.add(node.attr)
    assert used == {kind.name for kind in ProblemKind}
    assert all(400 <= kind.status < 600 and kind.meaning for kind in ProblemKind)


def test_the_page_has_each_kind_of_problem() -> None:
    page = (ROOT / "docs" / "client.md").read_text()
    rows = [f"| `{kind}` | {kind.status} | {kind.meaning} |" for kind in ProblemKind]
    assert "\n".join(rows) in page
