"""The site is built without a warning, holds every page, and loads nothing from another host."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from scripts.site.pictures import FOLDER, PICTURES

REPOSITORY = Path(__file__).parents[2]
PAGES = {path.relative_to(REPOSITORY / "docs").as_posix() for path in (REPOSITORY / "docs").rglob("*.md")}
MADE = {"index.md", "contributing.md", "changelog.md", "reference/http.md"}


pytestmark = pytest.mark.timeout(300)  # the first test builds the site


class _Loader(yaml.SafeLoader):
    """Passes over the tags by which mkdocs names functions."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def listed(nav: object) -> Iterator[str]:
    """The pages of a navigation, in order."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for value in nav.values():
            yield from listed(value)
    elif isinstance(nav, list):
        for each in nav:
            yield from listed(each)


NAV = list(listed(yaml.load((REPOSITORY / "mkdocs.yml").read_text(), _Loader)["nav"]))


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(NAV) == sorted(PAGES | MADE)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_what_its_command_draws(name: str) -> None:
    assert (FOLDER / f"{name}.svg").read_text() == PICTURES[name](), "python -m scripts.site.pictures draws it anew"


class Loaded(HTMLParser):
    """What a page makes a browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"script", "img", "iframe", "source"} and given.get("src"):
            self.addresses.append(given["src"] or "")
        if tag == "link" and given.get("rel") in {"stylesheet", "icon", "preconnect", "preload"}:
            self.addresses.append(given.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the site's packages are not installed: make docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    for name in PAGES | MADE:
        assert (site / name).with_suffix(".html").is_file(), name


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    seen = 0
    for page in site.rglob("*.html"):
        loaded = Loaded()
        loaded.feed(page.read_text())
        seen += len(loaded.addresses)
        assert [each for each in loaded.addresses if re.match(r"(?:\w+:)?//", each)] == [], page
        for each in loaded.addresses:
            assert page.name == "404.html" or (page.parent / each.partition("?")[0]).is_file(), (page, each)
    assert seen > 100


def test_the_search_works_without_a_server(site: Path) -> None:
    index = (site / "search" / "search_index.js").read_text()  # a script, which is read from a folder too
    assert "co-rewarding-i" in index
    assert "min_vote_share" in index


def test_language_models_get_a_list_of_the_pages(site: Path) -> None:
    lines = (site / "llms.txt").read_text().splitlines()
    assert lines[0] == "# Co-rewarding"
    listed_pages = re.findall(r"^- \[.+?\]\((.+?)\): \S.*$", "\n".join(lines), re.MULTILINE)
    assert listed_pages == [str(Path(name).with_suffix(".html")) for name in NAV]
    assert all((site / each).is_file() for each in listed_pages)
    assert "# Methods" in (site / "llms-full.txt").read_text()


def test_diagrams_are_drawn(site: Path) -> None:
    page = (site / "architecture.html").read_text()
    assert "flowchart TD" not in page
    assert page.count("pictures/architecture-") == 2
