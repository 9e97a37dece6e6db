"""Read the files of the page, with the headers that they are sent with."""

import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

INDEX = "index.html"
FOLDER = "/page/"

TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
"""Files of other kinds, such as licences, are not sent."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Scripts and styles come from files only, nothing is loaded from elsewhere, and no text becomes HTML."""

HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class PageFile(NamedTuple):
    """A file of the page."""

    content: bytes
    headers: Mapping[str, str]

    @property
    def tag(self) -> str:
        """Return the tag by which a browser asks whether its copy is still right."""
        return self.headers["etag"]


def page_files() -> dict[str, PageFile]:
    """Return all files of the page by their path, the page itself at `/`."""
    site = dict(_below(files("reward_service.dashboard") / "site", FOLDER))
    site["/"] = site.pop(FOLDER + INDEX)
    return site | dict(_below(files("reward_service.paraphrasing") / "katex", FOLDER + "katex/"))


def _below(folder: Traversable, path: str) -> Iterator[tuple[str, PageFile]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _below(each, f"{path}{each.name}/")
        elif media_type := TYPES.get(each.name.rpartition(".")[2]):
            content = each.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
            yield path + each.name, PageFile(content, HEADERS | {"content-type": media_type, "etag": tag})
