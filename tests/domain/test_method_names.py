"""A method's name is a fact of the table, and of nothing else."""

import re
from pathlib import Path

import reward_service
from reward_service.domain.methods import METHODS, Statistic


def test_the_table_alone_names_methods() -> None:
    """A method is one row: whoever needs one asks the table, by what the method is for."""
    root = Path(reward_service.__file__).parent
    names = [name for name in METHODS if name not in set(Statistic)]  # a statistic's own name is a field's too
    written = re.compile("|".join(f"[\"'`]{re.escape(name)}[\"'`]" for name in names))
    found = {
        f"{path.relative_to(root)}: {line.strip()}"
        for path in root.rglob("*.py")
        if path != root / "domain" / "methods.py"
        for line in path.read_text().splitlines()
        if written.search(line)
    }
    assert not found
