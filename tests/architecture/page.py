"""The parts of docs/architecture.md that are made: the floors from the imports, the way of a rollout from a trace.

`python -m tests.architecture` writes them anew; a test says where the page has fallen behind.
"""

import ast
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import grimp

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "architecture.md"
PACKAGES = (
    "co_rewarding_trainer",
    "co_rewarding_answers",
    "co_rewarding_client",
    "co_rewarding_schema",
    "reward_service",
)
SOURCES = {
    "co_rewarding_trainer": "trainer",
    "co_rewarding_answers": "clients",
    "co_rewarding_client": "clients",
    "co_rewarding_schema": "clients",
}


def with_block(page: str, name: str, content: str) -> str:
    """The page with the content between the marks of a block.

    Raises:
        ValueError: the page has no such block.
    """
    begin, end = f"<!-- {name}: made by `make architecture` -->\n", f"<!-- end of {name} -->"
    before, begun, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not (begun and ended):
        raise ValueError(f"{PAGE} has no block {name}")
    return before + begun + content + end + after


def floors() -> str:
    """The packages, and which of them import which; an arrow is left out where others lead the same way."""
    graph = grimp.build_graph(*PACKAGES)
    imports: dict[str, set[str]] = {}
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            above, below = _package(module), _package(imported)
            if above and below and above != below:
                imports.setdefault(above, set()).add(below)
    reached = {package: _reached(package, imports) for package in imports}
    lines = ["```mermaid", "flowchart TD"]
    packages = sorted({*imports, *(each for below in imports.values() for each in below)})
    lines += [f'    {package}["<b>{package}</b><br/>{_said_of(package)}"]' for package in packages]
    for above, below in sorted(imports.items()):
        others = set().union(*(reached.get(each, set()) for each in below))
        lines += [f"    {above} --> {each}" for each in sorted(below - others)]
    return "\n".join([*lines, "```", ""])


def way(modules: Sequence[str]) -> str:
    """The modules that a rollout passes, each with what it says of itself."""
    lines = [f"{len(modules)} modules, answer algebra apart, in the order in which they are first called:", ""]
    lines += ["| | module | what it is |", "|---|---|---|"]
    for number, module in enumerate(modules, start=1):
        path = REPOSITORY / "reward_service" / Path(*module.split(".")).with_suffix(".py")
        lines.append(f"| {number} | `{module}` | {_first_sentence(path)} |")
    return "\n".join([*lines, ""])


def listed(page: str) -> list[str]:
    """The modules that the page lists as the way of a rollout."""
    block = page.partition("<!-- way: made by")[2].partition("<!-- end of way -->")[0]
    return re.findall(r"^\| \d+ \| `([\w.]+)` \|", block, re.MULTILINE)


def _package(module: str) -> str | None:
    """The box of a module; None for those that belong to no floor: entry points, settings, logs, errors."""
    first, *rest = module.split(".")
    if first != "reward_service":
        return first
    return rest[0] if len(rest) > 1 or (rest and _is_package(rest[0])) else None


def _is_package(name: str) -> bool:
    return (REPOSITORY / "reward_service" / name).is_dir()


def _reached(package: str, imports: dict[str, set[str]]) -> set[str]:
    """The packages below a package."""
    found = set(imports[package])
    waiting = [*found]
    while waiting:
        for below in imports.get(waiting.pop(), set()) - found:
            found.add(below)
            waiting.append(below)
    return found


def _said_of(package: str) -> str:
    folder = REPOSITORY / SOURCES.get(package, "reward_service") / package
    words = _first_sentence(folder / "__init__.py").split()
    return "<br/>".join(_wrapped(words, 44)).replace('"', "'")


def _first_sentence(path: Path) -> str:
    said = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
    return said.partition(". ")[0].rstrip(".:").replace("|", "\\|")


def _wrapped(words: Iterable[str], width: int) -> list[str]:
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
