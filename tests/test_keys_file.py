"""The file of keys: one a line; what is written about them is no key."""

from pathlib import Path

from reward_service.settings import Settings


def test_blank_lines_and_comments_are_no_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# alice\nfirst\n\n   \n  # of the trainer\n  second  \r\nthird#3\n")
    assert Settings(api_keys=["other"], api_keys_file=file).keys() == ["other", "first", "second", "third#3"]
