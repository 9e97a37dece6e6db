"""Mutants of the rules in reward_service/domain, made by cosmic-ray's operators and run against the rules' own tests.

cosmic-ray would start an interpreter for each mutant, and most of its time would go into imports. Here a process that
has imported what the tests need forks for each mutant, and the child finds the mutated module in place of the file.
"""

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import cosmic_ray.plugins
import hypothesis.strategies  # imported here, so that no mutant has to
import pytest
from cosmic_ray.ast import Visitor, ast_nodes, get_ast_from_path

from tests.mutation.instead import Instead
from tests.mutation.session import FOUND, SURVIVED, TIMEOUT, Mutant, Session, digest, first_difference

RULES = (Path("reward_service/domain"), Path("clients/co_rewarding_schema"))
"""The folders of the rules: those of the service, and those that clients share."""

TESTS: dict[str, list[str]] = {
    "settlement": ["settlement", "voting", "rules"],
    "methods": ["rules", "settlement", "teacher"],
    "cohort": ["rules"],
    "quarantine": ["quarantine"],
    "teacher": ["rules", "teacher"],
    "run_settings": ["rules", "quarantine", "teacher"],
}
"""The core of the rules, and the tests in tests/domain that each module's mutants are run against."""

# Of what cosmic-ray would put in each other's place, what a person may confuse.
COMPARISONS = frozenset({
    "Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_Gt", "Gt_Lt", "LtE_GtE", "GtE_LtE",
    "Is_IsNot", "IsNot_Is", "In_NotIn", "NotIn_In",
})  # fmt: skip
ARITHMETIC = frozenset({
    "Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Mul_Add", "Pow_Mul", "RShift_LShift", "BitAnd_BitOr", "BitOr_BitAnd",
    "FloorDiv_Div", "Mod_Mul",
})  # fmt: skip
CPU_S = 60
BROKEN = 17


def wanted(operator: str) -> bool:
    """Whether an operator's mutants are worth their time."""
    kind, _, pair = operator.rpartition("/")[2].partition("_")
    if kind == "ReplaceComparisonOperator":
        return pair in COMPARISONS
    if kind == "ReplaceBinaryOperator":
        return pair in ARITHMETIC
    return True


def path_of(module: str) -> Path:
    """Return the file of a module of the rules."""
    return next(path for folder in RULES if (path := folder / f"{module}.py").exists())


def dotted(module: str) -> str:
    """Return the name by which a module of the rules is imported."""
    package = "co_rewarding_schema" if "clients" in path_of(module).parts else "reward_service.domain"
    return f"{package}.{module}"


def mutants(module: str) -> Iterator[Mutant]:
    """Each change of a module, once."""
    path = path_of(module)
    original = path.read_text()
    seen: set[str] = set()
    for name in sorted(cosmic_ray.plugins.operator_names()):
        operator_class = cosmic_ray.plugins.get_operator(name)
        if not wanted(name) or operator_class.arguments():
            continue
        operator = operator_class()
        positions = [at for node in ast_nodes(get_ast_from_path(path)) for at in operator.mutation_positions(node)]
        for occurrence in range(len(positions)):
            visitor = _Mutation(operator, occurrence)
            mutated = visitor.walk(get_ast_from_path(path)).get_code()
            if mutated != original and mutated not in seen and compiles(mutated):
                seen.add(mutated)
                yield Mutant(f"domain/{module}.py", *first_difference(original, mutated), mutated)


def compiles(text: str) -> bool:
    """Whether it is Python at all."""
    try:
        compile(text, "mutant", "exec")
    except SyntaxError:
        return False
    return True


class _Mutation(Visitor):
    def __init__(self, operator: object, occurrence: int) -> None:
        self._operator, self._left = operator, occurrence

    def visit(self, node: object) -> object:
        for index, _ in enumerate(self._operator.mutation_positions(node)):  # type: ignore[attr-defined]
            if self._left == 0:
                node = self._operator.mutate(node, index)  # type: ignore[attr-defined]
            self._left -= 1
        return node


def run(module: str, mutant: Mutant) -> str:
    """What the tests make of a mutant, in a child of this process."""
    child = os.fork()
    if child == 0:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 5))
        os._exit(_tested(module, mutant.mutated))
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return TIMEOUT
    return SURVIVED if os.WEXITSTATUS(status) == 0 else FOUND


def _tested(module: str, text: str) -> int:
    sys.meta_path.insert(0, Instead(dotted(module), text))
    files = [str(path) for path in test_files(module)]
    try:
        return int(
            pytest.main(["-q", "-x", "-o", "addopts=", "-p", "no:cacheprovider", "-p", "tests.mutation.quick", *files])
        )
    except BaseException:
        return BROKEN


def test_files(module: str) -> list[Path]:
    """Where the module's tests are."""
    return [Path(f"tests/domain/test_{name}.py") for name in TESTS[module]]


def session(module: str, folder: Path) -> Session:
    """The module's results."""
    return Session(folder / f"domain-{module}.jsonl", digest(test_files(module)))


def check(module: str) -> None:
    """The tests pass on what is not changed."""
    original = path_of(module).read_text()
    unchanged = Mutant(module, 0, "", "", original)
    assert run(module, unchanged) == SURVIVED, f"the tests of {module} fail on the module as it is"


assert hypothesis.strategies
