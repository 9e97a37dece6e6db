"""What mkdocs calls while it builds the site: pages from outside of docs/, drawn diagrams, and llms.txt."""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

from scripts.site.http_reference import openapi, reference
from scripts.site.mermaid import drawn
from scripts.site.python_reference import with_tables

REPOSITORY = Path(__file__).parents[2]
ROOT_PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages that stand in the root of the repository, and their names in the site."""

HTTP_REFERENCE = "reference/http.md"
_MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)")
_OUTSIDE = re.compile(r"(?<=\]\()((?:\.\./)+[^)\s#]+)")
_FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for source, name in ROOT_PAGES.items():
        files.append(File.generated(config, name, content=_of_root((REPOSITORY / source).read_text())))
    files.append(File.generated(config, HTTP_REFERENCE, content=reference(openapi())))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links to pages of the root links to pages of the site, and draw diagrams."""
    up = "../" * page.file.src_uri.count("/")
    for source, name in ROOT_PAGES.items():
        markdown = markdown.replace(f"]({up}../{source}", f"]({up}{name}")
    markdown = _OUTSIDE.sub(lambda found: _address(found[1], page.file.src_uri, config, files), with_tables(markdown))
    for number, found in enumerate(list(_MERMAID.finditer(markdown))):
        name = f"pictures/{page.file.src_uri.removesuffix('.md').replace('/', '-')}-{number}.svg"
        files.append(File.generated(config, name, content=drawn(found[1])))
        markdown = markdown.replace(found[0], f"![A diagram]({up}{name})")
    return markdown


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Keep the order of the pages, for llms.txt."""
    config.extra["order"] = [page.file.src_uri for page in nav.pages]
    return nav


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Keep the text of each page, for llms.txt."""
    config.extra.setdefault("texts", {})[page.file.src_uri] = (page, page.markdown or "")
    return output


def on_post_build(config: MkDocsConfig) -> None:
    """Write llms.txt, a list of the pages for language models, and llms-full.txt, which holds them whole."""
    texts: dict[str, tuple[Any, str]] = config.extra["texts"]
    pages = [texts[name] for name in config.extra["order"]]
    listed = [f"- [{page.title}]({page.url}): {_first_sentence(text)}" for page, text in pages]
    site = Path(config.site_dir)
    (site / "llms.txt").write_text(
        f"# {config.site_name}\n\n> {config.site_description}\n\n" + "\n".join(listed) + "\n"
    )
    (site / "llms-full.txt").write_text("\n\n".join(text for _, text in pages))


def _of_root(text: str) -> str:
    """Return a page of the root with the links of a page in docs/."""

    def link(found: re.Match[str]) -> str:
        below = found[1].removeprefix("docs/")
        return ROOT_PAGES.get(below) or (below if below != found[1] else f"../{below}")

    return _LINK.sub(link, text)


def _address(link: str, page: str, config: MkDocsConfig, files: Files) -> str:
    """Return the link as it is within docs/; a file of the repository that is not there becomes a file of the site."""
    path = (Path(config.docs_dir) / page).parent.joinpath(link).resolve()
    if path.is_relative_to(config.docs_dir) or not path.is_file():
        return link
    name = "repository/" + path.relative_to(REPOSITORY).as_posix().removeprefix(".")
    if name not in files.src_uris:
        files.append(File.generated(config, name, content=path.read_text()))
    return "../" * page.count("/") + name


def _first_sentence(text: str) -> str:
    prose = re.sub(r"^(#.*|!\[.*|    .*|\|.*|<.*)$", "", _FENCE.sub("", text), flags=re.MULTILINE)
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(prose.split()))
    return re.split(r"(?<=[.:!?]) ", plain, maxsplit=1)[0]
