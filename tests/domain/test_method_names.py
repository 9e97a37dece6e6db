"""A method's name is a fact of the table, and of nothing else."""

import re
from pathlib import Path

import co_rewarding_client
import co_rewarding_schema.methods
import co_rewarding_trainer
from co_rewarding_schema.method_rules import Statistic
from co_rewarding_schema.methods import METHODS

import reward_service

TABLE = Path(co_rewarding_schema.methods.__file__)
PACKAGES = (reward_service, co_rewarding_schema, co_rewarding_client, co_rewarding_trainer)


def test_the_table_alone_names_methods() -> None:
    """A method is one row: whoever needs one asks the table, by what the method is for."""
    names = [name for name in METHODS if name not in set(Statistic)]  # a statistic's own name is a field's too
    # A name that is a common word, such as "format", is a method's only beside that word.
    quoted = [(f"[\"'`]{re.escape(name)}[\"'`]", name) for name in names]
    written = re.compile("|".join(text if "-" in name else f"method.*{text}" for text, name in quoted))
    found = {
        f"{path}: {line.strip()}"
        for package in PACKAGES
        for path in Path(str(package.__file__)).parent.rglob("*.py")
        if path != TABLE
        for line in path.read_text().splitlines()
        if written.search(line) and not line.startswith((">>>", "..."))  # an example may choose one
    }
    assert not found
