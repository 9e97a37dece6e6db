"""From TOML files to a recipe: who extends whom, who has the last word, and what is wrong where.

Files are layers. Each lists what it builds upon in `extends`, relative to itself or by the name of a shipped recipe; a
layer comes after those that it extends, once, however many extend it, and a later layer's value stands. So a model, a
data set and a method are small files of their own, and `co-rewarding train METHOD DATA MODEL` is a recipe.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

from co_rewarding_schema.methods import METHODS, RewardSource

from co_rewarding_trainer.openrlhf.errors import RecipeError, nearest
from co_rewarding_trainer.openrlhf.fitting import fitted, within
from co_rewarding_trainer.openrlhf.recipe import Recipe

FREE_TABLES = ("openrlhf", "environment")
COMMAND_LINE = "--set"


@dataclass(frozen=True)
class Given:
    """A value, and the file that has it."""

    value: Any
    origin: str


Tables = dict[str, Any]  # of Given, or of Tables


def shipped_recipes() -> Path:
    """The folder of the recipes that come with the project: beside the package when installed, else in the tree."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def find_recipe(name: str) -> Path:
    """The file that `name` means: a path, or the name of a shipped recipe, such as cpu-smoke or qwen3-8b-base.

    Raises:
        RecipeError: there is neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = {found.stem: found for found in sorted(shipped_recipes().rglob("*.toml"))}
    if path.suffix in {"", ".toml"} and path.parent == Path() and (found := shipped.get(name.removesuffix(".toml"))):
        return found
    # Qwen2.5-3B has a dot of its own, which is no suffix.
    if "/" not in name and (found := shipped.get(name)):
        return found
    raise RecipeError(f"{name}: there is no such file, and no shipped recipe of that name; {nearest(name, shipped)}")


def read_recipe(paths: Sequence[Path], settings: Sequence[str] = ()) -> Recipe:
    """The recipe that these files make, left to right, with `settings` (key=value, as of --set) on top.

    A run that is given no name is called after its files.

    Raises:
        RecipeError: a file cannot be read, a key is unknown, or a value is not what its key takes.
    """
    tables: Tables = {}
    for layer in _layers(paths, seen=set()):
        content = _parsed(layer)
        content.pop("extends", None)
        _merge(tables, content, str(layer), ())
    for setting in settings:
        _merge(tables, _set(setting), f"{COMMAND_LINE} {setting}", ())
    files = ", ".join(str(path) for path in paths)
    if isinstance(run := tables.setdefault("run", {}), dict):
        run.setdefault("name", Given("-".join(path.stem for path in paths), files))
    recipe = _built(Recipe, tables, (), files)
    _check_method(recipe, tables)
    return recipe


def _layers(paths: Sequence[Path], seen: set[Path], above: tuple[Path, ...] = ()) -> Iterator[Path]:
    for path in paths:
        resolved = path.resolve()
        if resolved in above:
            chain = " → ".join(str(each) for each in (*above[above.index(resolved) :], resolved))
            raise RecipeError(f"{path}: extends itself ({chain}); take one of these out")
        if resolved in seen:
            continue
        extended = _parsed(path).get("extends", [])
        names = [extended] if isinstance(extended, str) else extended
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise RecipeError(f'{path}: extends is {extended!r}; give a file name, or a list of them: ["common.toml"]')
        yield from _layers([_extended(path, name) for name in names], seen, (*above, resolved))
        seen.add(resolved)
        yield path


def _extended(path: Path, name: str) -> Path:
    """What a file extends: one beside it, else a shipped recipe of that name."""
    beside = path.parent / name
    if beside.is_file() or "/" in name:
        return beside
    try:
        return find_recipe(name)
    except RecipeError as cause:
        raise RecipeError(f"{path}: extends {cause}") from cause


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise RecipeError(f"{path}: cannot be read ({cause.strerror}); give the path of a recipe") from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise RecipeError(f"{path}: not TOML ({cause}); correct that line") from cause


def _merge(tables: Tables, content: Mapping[str, Any], origin: str, where: tuple[str, ...]) -> None:
    for key, value in content.items():
        if isinstance(value, Mapping):
            if key in FREE_TABLES and not where:
                value = _flat(value)
            inner = tables.setdefault(key, {})
            if isinstance(inner, Given):
                raise RecipeError(f"{origin}: [{_dotted(*where, key)}] is a table here and a value in {inner.origin}")
            _merge(inner, value, origin, (*where, key))
        elif isinstance(tables.get(key), dict):
            raise RecipeError(f"{origin}: {_dotted(*where, key)} is a table; name one of its keys")
        else:
            tables[key] = Given(value, origin)


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A table of free names by their dotted names, so that [openrlhf.algo] x and [openrlhf] "algo.x" are the same."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def _set(setting: str) -> dict[str, Any]:
    """key=value as a table: the value is TOML where it is, else text. The key is dotted: training.learning_rate."""
    key, equals, text = setting.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise RecipeError(f"{COMMAND_LINE} {setting}: give key=value, such as training.learning_rate=1e-6")
    value: Any = _Text(text.strip())
    # The names of these two are free, and OpenRLHF's have dots of their own.
    path = [parts[0], ".".join(parts[1:])] if parts[0] in FREE_TABLES and len(parts) > 1 else parts
    for part in reversed(path):
        value = {part: value}
    return value


class _Text(str):
    """A value from a command line, which has no types: it becomes what its key takes."""

    __slots__ = ()


def _toml_or_text(text: str) -> Any:  # noqa: ANN401 - whatever TOML can say
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return str(text)


def _built(kind: type, tables: Tables, where: tuple[str, ...], files: str) -> Any:  # noqa: ANN401 - a `kind`
    known = {field.name: field for field in fields(kind)}
    for key, given in tables.items():
        if key not in known:
            origin = _origin(given)
            raise RecipeError(f"{origin}: {_dotted(*where, key)} is not a key of a recipe; {nearest(key, known)}")
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, field in known.items():
        path = (*where, name)
        given = tables.get(name)
        if name in FREE_TABLES and not where:
            values[name] = MappingProxyType(_free(given, path))
        elif is_dataclass(hints[name]):
            if isinstance(given, Given):
                raise RecipeError(
                    f"{given.origin}: {_dotted(*path)} is a table; write [{_dotted(*path)}] and its keys below it"
                )
            values[name] = _built(hints[name], given or {}, path, files)  # pyright: ignore[reportArgumentType]
        elif isinstance(given, dict):
            raise RecipeError(f"{_origin(given)}: {_dotted(*path)} is a value, not a table")
        elif given is not None:
            values[name] = _value(hints[name], field.metadata, given, path)
        elif field.metadata.get("required"):
            key = _dotted(*path)
            raise RecipeError(f"{files}: {key} is missing; write it, add a file that has it, or {COMMAND_LINE} {key}=…")
    return kind(**values)


def _value(hint: Any, limits: Mapping[str, Any], given: Given, path: tuple[str, ...]) -> Any:  # noqa: ANN401
    value = given.value
    if isinstance(value, _Text):
        value = str(value) if _takes_text(hint) else _toml_or_text(value)
    try:
        return within(limits, fitted(hint, value))
    except ValueError as cause:
        raise RecipeError(f"{given.origin}: {_dotted(*path)} {cause}") from cause


def _takes_text(hint: Any) -> bool:  # noqa: ANN401 - a type
    try:
        fitted(hint, "\0")  # no choice and no number
    except ValueError:
        return False
    return True


def _free(given: Any, path: tuple[str, ...]) -> dict[str, Any]:  # noqa: ANN401 - Given, Tables or None
    """A table whose keys are not ours: options of OpenRLHF, or variables, whose values are text."""
    if isinstance(given, Given):
        raise RecipeError(
            f"{given.origin}: {_dotted(*path)} is a table; write [{_dotted(*path)}] and its keys below it"
        )
    found: dict[str, Any] = {}
    for key, inner in (given or {}).items():
        value = inner.value
        if path[0] == "environment":
            if not isinstance(value, str):
                raise RecipeError(f'{inner.origin}: {_dotted(*path, key)} is {value!r}; write text: "{value}"')
            found[key] = str(value)
            continue
        value = _toml_or_text(value) if isinstance(value, _Text) else value
        found[key] = tuple(value) if isinstance(value, list) else value
    return found


def _check_method(recipe: Recipe, tables: Tables) -> None:
    method = recipe.run.method
    origin = _origin(tables["run"]["method"])
    if method not in METHODS:
        raise RecipeError(f"{origin}: run.method {method!r} is not a method; {nearest(method, METHODS)}")
    if recipe.method.source is RewardSource.STATISTIC:
        raise RecipeError(
            f"{origin}: run.method {method} is rewarded by a statistic that OpenRLHF does not send with its rollouts; "
            "use the client (docs/methods.md), or another method"
        )
    if recipe.method.needs_both_views and recipe.views != "both":
        raise RecipeError(f'{_origin(tables["run"]["views"])}: {method} needs both views; run.views = "both"')


def _origin(given: Any) -> str:  # noqa: ANN401 - Given or Tables
    while isinstance(given, dict):
        given = next(iter(given.values()), Given(None, "recipe"))
    return given.origin


def _dotted(*path: str) -> str:
    return ".".join(path)
