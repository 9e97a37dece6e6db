"""Files of keys for tests."""

import json
from collections.abc import Sequence
from pathlib import Path


def key_of(name: str) -> str:
    """The key of a name, as its holder shows it."""
    return f"the-key-of-team-{name}"


def bearer(name: str) -> dict[str, str]:
    """The headers of a holder."""
    return {"authorization": f"Bearer {key_of(name)}"}


def entry(name: str, scopes: Sequence[str], runs: Sequence[str] = (), **quotas: float) -> str:
    """One key as the file has it."""
    lines = ["[[keys]]", f'name = "{name}"', f'key = "{key_of(name)}"', f"scopes = {json.dumps(scopes)}"]
    lines += [f"runs = {json.dumps(runs)}"] if runs else []
    lines += ["[keys.quotas]", *(f"{quota} = {limit}" for quota, limit in quotas.items())] if quotas else []
    return "\n".join(lines) + "\n"


def written(file: Path, *entries: str) -> Path:
    """Put a file in place of the one that was there, at once."""
    beside = file.with_suffix(".new")
    beside.write_text("\n".join(entries))
    beside.rename(file)
    return file
