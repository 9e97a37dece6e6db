"""Write the results of experiments into docs/evidence.md: `python -m scripts.site.evidence runs/experiments`.

In the page `<!-- core/table.md: made by make evidence -->` and `<!-- end of core/table.md -->` enclose a table of the
experiment in the folder `core`; `pictures/evidence-core-curves.png` in the page is its `curves.png`. What an experiment
that is not there has left in the page stays.
"""

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from co_rewarding_trainer.experiment.running import SUITE, read_results, read_suite_of

from scripts.site.pictures import FOLDER

PAGE = FOLDER.parent / "evidence.md"
MOST_COLUMNS = 120
_BEGIN = r"<!-- (?P<folder>[\w-]+)/(?P<file>[\w-]+\.md): made by make evidence -->"
_END = r"<!-- end of (?P=folder)/(?P=file) -->"
_BLOCK = re.compile(f"(?P<begin>{_BEGIN}\n).*?(?P<end>{_END})", re.DOTALL)
_PICTURE = re.compile(r"pictures/evidence-(?P<folder>[\w-]+)-(?P<file>\w+\.png)")


def filled(page: str, table_of: Callable[[str, str], str | None]) -> str:
    """Return the page with each table that there is; `table_of` gives the text of a folder's file, or None."""

    def fill(block: re.Match[str]) -> str:
        table = table_of(block["folder"], block["file"])
        return block[0] if table is None else f"{block['begin']}\n{table.strip()}\n\n{block['end']}"

    return _BLOCK.sub(fill, page)


def table_in(experiments: Path) -> Callable[[str, str], str | None]:
    """Return what reads a table of an experiment, with how it came about in a line behind it.

    A table of another measurement, which has no suite, says that itself.
    """

    def table_of(name: str, file: str) -> str | None:
        folder = experiments / name
        if not (folder / file).exists():
            return None
        table = (folder / file).read_text().strip()
        return f"{table}\n\n{about(folder)}" if (folder / SUITE).exists() else table

    return table_of


def about(folder: Path) -> str:
    """Say how the results of an experiment came about, and what of them is missing."""
    suite = read_suite_of(folder)
    told = json.loads((folder / "about.json").read_text())
    done, asked = len(read_results(folder, suite)), len(list(suite.cells()))
    seeds = f"seeds {', '.join(map(str, suite.seeds))}"
    if suite.tuning_seeds:
        seeds += f"; chosen on {', '.join(map(str, suite.tuning_seeds))}"
    words = " ".join(word if number else "co-rewarding" for number, word in enumerate(told["command"]))
    missing = "" if done == asked else f" {asked - done} trainings are missing."
    told_in_full = f"`{words}`: {done} trainings of {suite.steps} steps, {seeds}; {told['machine']}.{missing}"
    return textwrap.fill(told_in_full, MOST_COLUMNS, break_on_hyphens=False)


def main() -> None:
    """Fills the page, and copies the pictures."""
    experiments = Path(sys.argv[1])
    PAGE.write_text(filled(PAGE.read_text(), table_in(experiments)))
    for named in _PICTURE.finditer(PAGE.read_text()):
        picture = experiments / named["folder"] / named["file"]
        if picture.exists():
            shutil.copyfile(picture, FOLDER.parent / named[0])


if __name__ == "__main__":
    main()
