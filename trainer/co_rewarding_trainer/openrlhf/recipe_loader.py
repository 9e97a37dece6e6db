"""Load a recipe from TOML files: layers, their order, and errors that name the layer.

Files are layers. `extends` lists the files that a file builds upon, relative to that file or by the name of a shipped
recipe. A layer comes once, after those that it extends, and a later layer's value wins. So a model, a data set and a
method are small files of their own, and `co-rewarding train METHOD DATA MODEL` is a recipe.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from co_rewarding_trainer.openrlhf.errors import RecipeError, nearest
from co_rewarding_trainer.openrlhf.recipe import Recipe

FREE_TABLES = ("openrlhf", "environment")
COMMAND_LINE = "--set"

Key = tuple[str | int, ...]
"""The path to a value of a recipe: names, and indexes of lists."""


@dataclass(frozen=True)
class MergedLayers:
    """The values of all layers, and for each table and value the last layer that wrote it."""

    files: str
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    origins: dict[Key, str] = field(default_factory=dict[Key, str])

    def add(self, content: Mapping[str, Any], origin: str) -> None:
        """Adds a layer; its values replace those of earlier layers."""
        flat = {name: _flat(content[name]) for name in FREE_TABLES if isinstance(content.get(name), dict)}
        self._merge(self.values, {**content, **flat}, origin, ())

    def written(self, key: Key) -> Key:
        """Returns the part of a key that a layer wrote: the whole key, or the key of the list or table around it."""
        while key and key not in self.origins:
            key = key[:-1]
        return key

    def origin(self, key: Key) -> str:
        """Names the last layer that wrote a key."""
        return self.origins.get(self.written(key), self.files)

    def _merge(self, values: dict[str, Any], content: Mapping[str, Any], origin: str, above: Key) -> None:
        for name, value in content.items():
            key = (*above, name)
            self.origins[key] = origin
            if not isinstance(value, dict):
                values[name] = value
                continue
            if not isinstance(values.get(name), dict):
                values[name] = {}
            self._merge(values[name], value, origin, key)


def shipped_recipes() -> Path:
    """Returns the folder of the shipped recipes: inside the package when installed, else beside it in the tree."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def find_recipe(name: str) -> Path:
    """Finds the file for a path, or for the name of a shipped recipe such as cpu-smoke or qwen3-8b-base.

    Raises:
        RecipeError: there is no such file and no such recipe.
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
    """Reads the recipe that these files make, left to right, with `settings` (key=value, as of --set) on top.

    A run without a name is called after its files.

    Raises:
        RecipeError: a file cannot be read, a key is unknown, or a value is not what its key takes. The message has
            one line for each wrong key.
    """
    layers = MergedLayers(", ".join(str(path) for path in paths))
    for file in _layers(paths, seen=set()):
        content = _parse(file)
        content.pop("extends", None)
        layers.add(content, str(file))
    for setting in settings:
        layers.add(_parse_setting(setting), f"{COMMAND_LINE} {setting}")
    for name, known in Recipe.model_fields.items():
        if known.is_required():
            layers.values.setdefault(name, {})  # errors then name the keys that are missing
    if isinstance(run := layers.values["run"], dict):
        run.setdefault("name", "-".join(path.stem for path in paths))
    try:
        return Recipe.model_validate(layers.values)
    except ValidationError as cause:
        raise RecipeError("\n".join(_problems(cause, layers))) from cause


def _layers(paths: Sequence[Path], seen: set[Path], above: tuple[Path, ...] = ()) -> Iterator[Path]:
    for path in paths:
        resolved = path.resolve()
        if resolved in above:
            chain = " → ".join(str(each) for each in (*above[above.index(resolved) :], resolved))
            raise RecipeError(f"{path}: extends itself ({chain}); take one of these out")
        if resolved in seen:
            continue
        extended = _parse(path).get("extends", [])
        names = [extended] if isinstance(extended, str) else extended
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise RecipeError(f'{path}: extends is {extended!r}; give a file name, or a list of them: ["common.toml"]')
        yield from _layers([_find_extended(path, name) for name in names], seen, (*above, resolved))
        seen.add(resolved)
        yield path


def _find_extended(path: Path, name: str) -> Path:
    """Finds the file that a file extends: one beside it, else a shipped recipe of that name."""
    beside = path.parent / name
    if beside.is_file() or "/" in name:
        return beside
    try:
        return find_recipe(name)
    except RecipeError as cause:
        raise RecipeError(f"{path}: extends {cause}") from cause


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise RecipeError(f"{path}: cannot be read ({cause.strerror}); give the path of a recipe") from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise RecipeError(f"{path}: not TOML ({cause}); correct that line") from cause


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turns tables inside a free table into dotted names: [openrlhf.algo] x and [openrlhf] "algo.x" are the same."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def _parse_setting(setting: str) -> dict[str, Any]:
    """Makes a layer of key=value. The key is dotted: training.learning_rate."""
    key, equals, text = setting.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        raise RecipeError(f"{COMMAND_LINE} {setting}: give key=value, such as training.learning_rate=1e-6")
    value: Any = text.strip() if _takes_text(names) else _toml_or_text(text.strip())
    for name in reversed(names):
        value = {name: value}
    return value


def _toml_or_text(text: str) -> Any:  # noqa: ANN401 - whatever TOML can say
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _takes_text(names: Sequence[str]) -> bool:
    """Returns whether a key takes any text: text on a command line is then taken as written, without quotes."""
    if names[0] in FREE_TABLES:
        return names[0] == "environment"
    table = _table(names[:-1])
    known = None if table is None else table.model_fields.get(names[-1])
    return known is not None and str in (known.annotation, *get_args(known.annotation))


def _table(key: Sequence[str | int]) -> type[BaseModel] | None:
    """Returns the model of the table at a key; None if a recipe has no such table, or a table of free names."""
    table: type[BaseModel] = Recipe
    for name in key:
        known = table.model_fields.get(str(name))
        kind = None if known is None else known.annotation
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return None
        table = kind
    return table


def _problems(cause: ValidationError, layers: MergedLayers) -> list[str]:
    """Writes what pydantic found: a line for each key, with the layer and what to do."""
    found: dict[Key, list[ErrorDetails]] = {}
    for error in cause.errors(include_url=False):
        key = error["loc"]
        if error["type"] != "missing":
            # For a value that may have several types, pydantic adds the type that it tried to the key.
            written = layers.written(key)
            key = (*written, *(part for part in key[len(written) :] if isinstance(part, int)))
        found.setdefault(key, []).append(error)
    return [_problem(key, errors, layers) for key, errors in found.items()]


def _problem(key: Key, errors: Sequence[ErrorDetails], layers: MergedLayers) -> str:
    name, origin, value = _dotted(key), layers.origin(key), errors[0]["input"]
    match errors[0]["type"]:
        case "missing" if isinstance(key[-1], int):
            return f"{origin}: {name} is missing in {value!r}"
        case "missing":
            return f"{layers.files}: {name} is missing; write it, add a file that has it, or {COMMAND_LINE} {name}=…"
        case "extra_forbidden":
            table = _table(key[:-1]) or Recipe
            return f"{origin}: {name} is not a key of a recipe; {nearest(str(key[-1]), table.model_fields)}"
        case "model_type" | "dict_type":
            return f"{origin}: {name} is a table; write [{name}] and its keys below it"
        case "value_error":
            return f"{origin}: {name} {errors[0].get('ctx', {}).get('error')}"
        case _:
            first, *others = (error["msg"].replace("Tuple", "List").replace("tuple", "list") for error in errors)
            told = [first[0].lower() + first[1:], *(other.removeprefix("Input should be ") for other in others)]
            return f"{origin}: {name} is {value!r}; {' or '.join(told)}"


def _dotted(key: Key) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")
