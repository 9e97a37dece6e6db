"""A part of a rewriting is gone on with, and another's file is not overwritten."""

from pathlib import Path

import pytest

from reward_service.paraphrasing.pair_output import PartFile
from reward_service.paraphrasing.rewriter import RewritingError

HEADER = {"rewriting": 1, "model": "m"}


@pytest.mark.parametrize("held", ["somebody's notes, without a line's end", '{"rewriting": 1, "model": "other'])
def test_a_line_that_is_not_the_beginning_of_this_header_is_kept(tmp_path: Path, held: str) -> None:
    path = tmp_path / "out.part"
    path.write_text(held)
    with pytest.raises(RewritingError, match="not begun by this order"):
        PartFile(path, HEADER)
    assert path.read_text() == held
