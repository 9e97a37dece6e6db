"""The reference has every setting, route and kind of problem; tests/api/test_metrics.py has the metrics."""

import re
from pathlib import Path

from co_rewarding_schema.problems import ProblemKind
from co_rewarding_schema.run_settings import RunSettings

from reward_service.settings import Settings
from scripts.site.http_reference import openapi, reference

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
CELL = re.compile(r"^\| (`[^|]+`) \|", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")


def first_column(page: str, heading: str) -> set[str]:
    """The names in the first column of the tables below a heading."""
    section = re.split(rf"^## {re.escape(heading)}$", (DOCS / page).read_text(), flags=re.MULTILINE)[1]
    section = re.split(r"^## ", section, maxsplit=1, flags=re.MULTILINE)[0]
    return {name for cell in CELL.findall(section) for name in CODE.findall(cell)}


def test_every_setting_of_the_service_is_in_the_reference() -> None:
    assert first_column("operations.md", "Options") == set(Settings.model_fields)


def test_every_setting_of_a_run_is_in_the_reference() -> None:
    assert first_column("methods.md", "What a run sets") == set(RunSettings.__struct_fields__)


def test_every_kind_of_problem_is_in_the_reference() -> None:
    assert first_column("client.md", "Problems") == {kind.value for kind in ProblemKind}


def test_every_route_and_structure_is_in_the_reference_of_the_http_api() -> None:
    document = openapi()
    page = reference(document)
    routes = [f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item]
    assert sorted(re.findall(r"^### `(.+)`$", page, re.MULTILINE)) == sorted(routes)
    assert len(routes) > 30
    headings = set(re.findall(r"^### (\w+)$", page, re.MULTILINE))
    assert headings == document["components"]["schemas"].keys()
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= {name.lower() for name in headings}


def test_every_name_of_the_client_is_in_the_python_reference() -> None:
    import co_rewarding_answers
    import co_rewarding_client

    page = (DOCS / "reference" / "python.md").read_text()
    words = set(re.findall(r"\w+", page))
    assert set(co_rewarding_answers.__all__) <= words
    errors = {
        name
        for name in co_rewarding_client.__all__
        if getattr(co_rewarding_client, name).__module__.endswith(".errors")
    }
    assert set(co_rewarding_client.__all__) - errors <= words
    assert "::: co_rewarding_client.errors" in page
