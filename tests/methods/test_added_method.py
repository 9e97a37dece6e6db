"""docs/methods.md#add-a-method: its row, put into the table and nowhere else, is a method everywhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the demo's trainer needs torch: pip install 'co-rewarding[local]'")

REPOSITORY = Path(__file__).parents[2]
TABLE = Path("clients/co_rewarding_schema/methods.py")


def documented_row() -> str:
    """The row that the page shows."""
    page = (REPOSITORY / "docs" / "methods.md").read_text()
    section = page.partition("## Add a method\n")[2].partition("\n## ")[0]
    (row,) = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return row


@pytest.mark.slow
def test_a_row_is_served_replayed_and_trained_with(tmp_path: Path) -> None:
    for package in ("reward_service", "clients", "trainer"):
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    row = documented_row()
    (name,) = re.findall(r'^_row\(\n    "([a-z-]+)",$', row, re.MULTILINE)
    table = tmp_path / TABLE
    table.write_text(table.read_text().replace("_ROWS = (\n", f"_ROWS = (\n{row.rstrip()},\n", 1))
    path = os.pathsep.join(str(tmp_path / each) for each in (".", "clients", "trainer"))
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("added_method.py"), name],
        env=os.environ | {"PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
