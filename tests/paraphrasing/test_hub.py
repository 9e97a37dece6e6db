"""A data set's name reads from the hub, and nothing of this machine."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reward_service.paraphrasing.hub import copy_split, fetch
from reward_service.paraphrasing.pair_files import PairFileError

AT = "hf://datasets/owner/name@1234/"


@dataclass
class FakeDatasets:
    """A hub with one data set, whose files are these."""

    files: Any
    read: list[str] = field(default_factory=list)

    def load_dataset_builder(self, path: str) -> Any:
        return SimpleNamespace(
            config=SimpleNamespace(data_files=self.files),
            download_and_prepare=lambda: self.read.append(path),
            as_dataset=lambda split: SimpleNamespace(to_parquet=lambda file: Path(file).write_text(split)),
        )


def test_a_split_is_written(tmp_path: Path) -> None:
    hub = FakeDatasets({"train": [AT + "train.parquet"], "test": [AT + "a.jsonl", "zip://b.jsonl::" + AT + "b.zip"]})
    copy_split(hub, "owner/name", "test", tmp_path / "q.parquet")
    assert (tmp_path / "q.parquet").read_text() == "test"


@pytest.mark.parametrize(
    "files",
    [
        {"train": ["/etc/passwd"]},
        {"train": [AT + "a.jsonl"], "test": ["/etc/passwd"]},
        {"train": [AT + "a.jsonl", "owner/name/train.jsonl"]},
        {"train": ["file:///etc/passwd"]},
        {"train": ["http://169.254.169.254/latest/meta-data"]},
        {"train": ["zip://a.txt::/srv/secret.zip"]},
        {"train": []},
        {},
        None,
    ],
    ids=str,
)
def test_files_that_lie_elsewhere_are_not_read(tmp_path: Path, files: Any) -> None:
    hub = FakeDatasets(files)
    with pytest.raises(PairFileError, match=r"not on the hub|no files of its own"):
        copy_split(hub, "owner/name", "train", tmp_path / "q.parquet")
    assert hub.read == []
    assert not (tmp_path / "q.parquet").exists()


REPORT = """
import os, sys
name, split, path = sys.argv[1:]
with open(path, "w") as file:
    print(os.listdir("."), os.path.exists(name), "" in sys.path, os.environ["HF_DATASETS_TRUST_REMOTE_CODE"], file=file)
"""


def test_the_hub_is_read_in_an_empty_folder(tmp_path: Path) -> None:
    """Whatever stands in the working directory under the data set's name: it is not there."""
    name = os.path.relpath(Path(__file__).parent, Path.cwd())
    assert Path(name).is_dir()
    fetch(name, "train", tmp_path / "told", ("-c", REPORT))
    assert (tmp_path / "told").read_text().split("\n")[0].startswith("[] False")
    assert (tmp_path / "told").read_text().strip().endswith("0")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; print('no such split'); sys.exit(4)", "did not give it .no such split.*name a file"),
        ("import sys; sys.exit(3)", "pip install datasets"),
        ("import os; os.abort()", "its reader ended"),
    ],
)
def test_how_its_reader_ends_is_told(tmp_path: Path, code: str, said: str) -> None:
    with pytest.raises(PairFileError, match=said):
        fetch("owner/name", "train", tmp_path / "q", ("-c", code))
    assert sys.modules.get("datasets") is None
