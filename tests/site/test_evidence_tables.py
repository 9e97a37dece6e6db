"""The tables of experiments in docs/evidence.md are those of the results; a table without results stays as it was."""

import json
import textwrap
from pathlib import Path

import pytest

for needed in ("torch", "transformers", "matplotlib"):
    pytest.importorskip(needed, reason=f"an experiment needs {needed}: pip install 'co-rewarding[local]'")

from co_rewarding_trainer.experiment.running import prepare  # noqa: E402
from co_rewarding_trainer.experiment.suite import Suite  # noqa: E402

from scripts.site.evidence import MOST_COLUMNS, PAGE, filled, table_in  # noqa: E402

BEGIN, END = "<!-- core/table.md: made by make evidence -->", "<!-- end of core/table.md -->"
OTHER = "<!-- other/table.md: made by make evidence -->\nof before\n<!-- end of other/table.md -->\n"


def test_a_table_is_replaced_with_how_it_came_about(tmp_path: Path) -> None:
    suite = Suite(methods=["format"], learning_rates=[1e-3], seeds=[0, 1], tuning_seeds=[7])
    prepare(tmp_path / "core", suite, ["/somewhere/co-rewarding", "experiment", "core"])
    (tmp_path / "core/table.md").write_text("| a |\n| --- |\n")
    page = filled(f"# Evidence\n\n{BEGIN}\nof before\n{END}\n\nmore\n{OTHER}", table_in(tmp_path))
    about = json.loads((tmp_path / "core/about.json").read_text())
    in_full = (
        "`co-rewarding experiment core`: 0 trainings of 300 steps, seeds 0, 1; chosen on 7; "
        f"{about['machine']}. 3 trainings are missing."
    )
    told = textwrap.fill(in_full, MOST_COLUMNS, break_on_hyphens=False)
    assert page == f"# Evidence\n\n{BEGIN}\n\n| a |\n| --- |\n\n{told}\n\n{END}\n\nmore\n{OTHER}"
    assert filled(page, table_in(tmp_path)) == page, "made again it is the same"


def test_the_page_has_places_for_tables() -> None:
    places: list[str] = []
    filled(PAGE.read_text(), lambda folder, file: places.append(f"{folder}/{file}"))
    assert "core/table.md" in places
