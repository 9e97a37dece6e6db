"""Write what demos have recorded into docs/demo.md: their tables, and their pictures beside the page.

`python -m scripts.site.demo_page demo runs/demo` writes the table of a demo and docs/demo.png.
`python -m scripts.site.demo_page starts runs/demo runs/demo-own-habits ...` compares demos: a column for each.
"""

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from co_rewarding_trainer.report import DemoReport, write_comparison

from scripts.site.terminal import report_of

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "demo.md"
PLAIN = "plain"
"""How the demo with nothing planted is called among others."""


def replaced(page: str, name: str, table: str) -> str:
    """Return the page with another table between the marks of the name.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- {name}: made by scripts/site/demo_page.py -->\n", f"<!-- end of {name} -->"
    marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not marked.search(page):
        raise ValueError(f"docs/demo.md has no marks of {name}")
    return marked.sub(lambda _: f"{begin}{table}{end}", page)


def compared(reports: Sequence[tuple[str, DemoReport]]) -> str:
    """Return accuracy at the start, at its peak and at the end, of each method in each demo, as Markdown."""
    heads = ["method", *(f"{name}: start, peak, end" for name, _ in reports)]
    rows = [
        [f"`{method.method}`", *(f"{each.start:.2f}, {each.peak:.2f}, **{each.end:.2f}**" for each in columns)]
        for columns in zip(*(report.methods for _, report in reports), strict=True)
        for method in columns[:1]
    ]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, ["---"] * len(heads), *rows))


def main(name: str, *folders: str) -> None:
    """Write the table and the picture of some demos under a name."""
    if len(folders) == 1:
        (only,) = map(Path, folders)
        shutil.copyfile(only / "curves.png", DOCS / f"{name}.png")
        table = (only / "table.md").read_text()
    else:
        reports = [
            (
                PLAIN if Path(folder).name == "demo" else Path(folder).name.removeprefix("demo-"),
                report_of(Path(folder) / "series.json"),
            )
            for folder in folders
        ]
        write_comparison(reports, DOCS / f"{name}.png")
        table = compared(reports)
    PAGE.write_text(replaced(PAGE.read_text(), name, table))


if __name__ == "__main__":
    main(*sys.argv[1:])
