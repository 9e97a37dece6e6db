"""Read the file of API keys: one key a line, or TOML with names, scopes, runs and quotas."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ByteSize, ConfigDict, Field, ValidationError, model_validator

from reward_service.domain.access import AccessList, Grant, Quotas, Rate, RunQuotas, Scope, digest_of
from reward_service.errors import SettingsError

BURST_S = 10.0
"""The burst of a rate that names none: what flows in so many seconds."""

KEY_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
PREFIX_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
FORMS = {
    "name": "1 to 64 letters, digits, '.', '_', '@' or '-'",
    "key": "16 or more visible ASCII characters",
    "sha256": "64 hexadecimal digits in lower case, as `printf %s KEY | sha256sum` writes them",
    "runs": "the beginning of a run's name, which holds letters, digits, '.', '_' and '-'",
    "prefix": "the beginning of a run's name, which holds letters, digits, '.', '_' and '-'",
}
"""What a text is to look like, by its field."""

MOST_CHARS = 2**24
"""A file of more characters is not read."""

_TABLES = re.compile(r"^\s*\[\[\s*(keys|runs)\s*\]\]")
_LIKE_TOML = re.compile(r"^\s*\[\[|(^|\s)=(\s|$)")
"""A line that no file of one key a line has: each word of it would be a key, also the sign of equality."""

Prefix = Annotated[str, Field(pattern=PREFIX_PATTERN)]
Key = Annotated[str, Field(pattern=r"^[!-~]{16,}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PerSecond = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
Bytes = Annotated[ByteSize, Field(gt=0, le=10**15)]
Count = Annotated[int, Field(ge=1, le=10**12, strict=True)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _QuotasTable(_Table):
    rollouts_per_s: PerSecond | None = None
    rollouts_burst: PerSecond | None = None
    bytes_per_s: Bytes | None = None
    bytes_burst: Bytes | None = None
    held_requests: Count | None = None

    @model_validator(mode="after")
    def _bursts_have_rates(self) -> Self:
        for what in ("rollouts", "bytes"):
            if getattr(self, f"{what}_burst") is not None and getattr(self, f"{what}_per_s") is None:
                raise ValueError(f"{what}_burst is the burst of {what}_per_s, which is not there")
        return self

    def quotas(self, open_cohorts: int | None = None) -> Quotas:
        rollouts = _rate(self.rollouts_per_s, self.rollouts_burst)
        return Quotas(rollouts, _rate(self.bytes_per_s, self.bytes_burst), self.held_requests, open_cohorts)


class _RunQuotasTable(_QuotasTable):
    open_cohorts: Count | None = None


class _KeyTable(_Table):
    name: Annotated[str, Field(pattern=KEY_NAME_PATTERN)]
    key: Key | None = None
    sha256: Sha256 | Annotated[list[Sha256], Field(min_length=1)] | None = None
    scopes: Annotated[list[Scope], Field(min_length=1)]
    runs: Annotated[list[Prefix], Field(min_length=1)] | None = None
    quotas: _QuotasTable = Field(default_factory=_QuotasTable)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.key is None) == (self.sha256 is None):
            raise ValueError("write either key or sha256")
        return self

    def digests(self) -> list[bytes]:
        if self.key is not None:
            return [digest_of(self.key.encode())]
        shown = [self.sha256] if isinstance(self.sha256, str) else self.sha256 or []
        return [bytes.fromhex(each) for each in shown]

    def grant(self) -> Grant:
        return Grant(self.name, frozenset(self.scopes), tuple(self.runs or ()), self.quotas.quotas())


class _RunsTable(_Table):
    prefix: Prefix
    quotas: _RunQuotasTable


class _File(_Table):
    keys: Annotated[list[_KeyTable], Field(min_length=1)]
    runs: list[_RunsTable] = Field(default_factory=list)


def read_access(path: Path) -> AccessList:
    """Return what a file of keys says: TOML if its name or a table says so, else one key a line with all rights.

    Raises:
        SettingsError: the file cannot be read, holds no key, or is wrong at the line that the message names.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:  # editors of some systems begin a file with a mark
            text = file.read(MOST_CHARS + 1)
    except (OSError, ValueError) as cause:  # not there, or no text
        raise SettingsError(f"the file of keys, {path}, cannot be read: {cause}") from cause
    if len(text) > MOST_CHARS:
        raise SettingsError(f"the file of keys, {path}, has more than {MOST_CHARS} characters: this is no file of keys")
    if path.suffix == ".toml" or any(_TABLES.match(line) for line in text.splitlines()):
        return access_in(text, str(path))
    return _of_lines(text, path)


def _of_lines(text: str, path: Path) -> AccessList:
    grants: dict[bytes, Grant] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if _LIKE_TOML.search(line) and not line.lstrip().startswith("#"):
            raise SettingsError(f"{path}, line {number}, looks like TOML: write [[keys]], or give it a name in .toml")
        for key in () if line.lstrip().startswith("#") else line.split():
            grants.setdefault(digest_of(key.encode()), Grant(f"line-{number}"))
    if not grants:
        raise SettingsError(f"{path} holds no key: write one key a line, or leave the file out")
    return AccessList(grants)


def access_in(text: str, path: str) -> AccessList:
    """Return what TOML says; messages name it as `path`.

    Raises:
        SettingsError: it is wrong at the place that the message names.
    """
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as cause:  # the message of most has the line
        raise SettingsError(f"{path} is no TOML that can be read: {cause}") from cause
    try:
        file = _File.model_validate(tables)
    except ValidationError as cause:
        # The input is left out: it may be a key.
        first = cause.errors(include_input=False, include_url=False)[0]
        fields = [part for part in first["loc"] if part in FORMS]
        form = f": {FORMS[str(fields[-1])]}" if fields and "pattern" in first["type"] else ""
        unknown = first["type"] == "extra_forbidden"
        what = "no such name in this table; docs/security.md has all" if unknown else first["msg"]
        what = what.removeprefix("Value error, ")
        raise SettingsError(f"{path}, {_place(text, first['loc'])}: {what}{form}") from None
    grants: dict[bytes, Grant] = {}
    names: set[str] = set()
    for index, table in enumerate(file.keys):
        where = f"{path}, {_place(text, ('keys', index))}"
        if table.name in names:
            raise SettingsError(f"{where}: another key has the name {table.name!r}: list both under one sha256")
        names.add(table.name)
        for digest in table.digests():
            if digest in grants:
                raise SettingsError(f"{where}: {table.name!r} has the same key as {grants[digest].name!r}")
            grants[digest] = table.grant()
    runs = tuple(RunQuotas(each.prefix, each.quotas.quotas(each.quotas.open_cohorts)) for each in file.runs)
    return AccessList(grants, runs)


def _rate(per_s: float | None, burst: float | None) -> Rate | None:
    return None if per_s is None else Rate(float(per_s), float(burst or per_s * BURST_S))


def _place(text: str, where: tuple[Any, ...]) -> str:
    """Return a place in the file as people look for it: the line of its table, and the field."""
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).removeprefix(".")
    if len(where) > 1 and isinstance(where[1], int):
        lines = list(_lines_of(text, str(where[0])))
        if where[1] < len(lines):
            return f"the table at line {lines[where[1]]}, {field}"
    return field


def _lines_of(text: str, table: str) -> Iterator[int]:
    for number, line in enumerate(text.splitlines(), 1):
        found = _TABLES.match(line)
        if found is not None and found[1] == table:
            yield number
