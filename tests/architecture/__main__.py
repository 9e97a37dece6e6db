"""Writes the made parts of docs/architecture.md anew: `python -m tests.architecture`, or `make architecture`."""

import uvloop

from tests.architecture.page import PAGE, floors, way, with_block
from tests.architecture.trace import traced


def main() -> None:
    page = with_block(PAGE.read_text(), "floors", floors())
    PAGE.write_text(with_block(page, "way", way(uvloop.run(traced()))))


if __name__ == "__main__":
    main()
