"""Read data sets on the Hugging Face hub, in a process of its own in an empty folder.

The package `datasets` takes a name for a folder or a script of the working directory where there is one, and what a
data set says of its files may be any path or address. None of these is read: a stranger may have chosen the name.
"""

import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from reward_service.paraphrasing.pair_files import PairFileError
from reward_service.processes import dies_with_parent

ABSENT = 3
REFUSED = 4
_HUB_FILE = "hf://datasets/"
_LONGEST_TOLD = 1000
_NO_SCRIPTS = {"HF_DATASETS_TRUST_REMOTE_CODE": "0"}


class Built(Protocol):
    """A builder of `datasets`: what a data set consists of, before anything of it is read."""

    @property
    def config(self) -> Any:  # noqa: ANN401 - of whatever kind its files are
        """Returns what the data set is built from; `data_files`, where there is one, has the files of each split."""
        ...

    def download_and_prepare(self) -> None:
        """Downloads the files and builds the data set from them."""
        ...

    def as_dataset(self, *, split: str) -> Any:  # noqa: ANN401 - a data set, which writes parquet
        """Returns one split, once the data set is built."""
        ...


class Hub(Protocol):
    """What is asked of the package `datasets`."""

    def load_dataset_builder(self, path: str) -> Built:
        """Returns the builder of the data set `path`, before any of its rows is read."""
        ...


def fetch(name: str, split: str, path: Path, read: Sequence[str] = ("-m", "reward_service.paraphrasing.hub")) -> None:
    """Writes a split of a data set on the hub to a parquet file. `read` is what Python runs for it.

    Raises:
        PairFileError: the hub does not give it; caused by ModuleNotFoundError where `datasets` is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="cr-hub-") as empty:
        done = subprocess.run(  # noqa: S603 - a list of words, each checked or ours, and no shell
            dies_with_parent([sys.executable, "-I", *read, name, split, str(path.absolute())]),
            cwd=empty,
            env=os.environ | _NO_SCRIPTS,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    if done.returncode == ABSENT:
        raise PairFileError(
            "the hub is read by the package `datasets`: pip install datasets, or name a file"
        ) from ModuleNotFoundError("datasets")
    if done.returncode:
        told = done.stdout.strip() if done.returncode == REFUSED else f"its reader ended with {done.returncode}"
        raise PairFileError(
            f"the hub did not give it ({told[:_LONGEST_TOLD]}); see that the name and the split are right and the hub "
            "can be reached, or name a file"
        )


def copy_split(hub: Hub, name: str, split: str, path: Path) -> None:
    """Writes a split to a parquet file, if all files of the data set lie on the hub.

    Raises:
        PairFileError: they do not.
    """
    built = hub.load_dataset_builder(name)
    files = [file for each in _files(built) for file in each]
    if not files:
        raise PairFileError("it has no files of its own: a data set that is made by a script is not read")
    elsewhere = next((file for file in files if not _on_hub(str(file))), None)
    if elsewhere is not None:
        raise PairFileError(f"it names a file that is not on the hub: {elsewhere}")
    built.download_and_prepare()
    built.as_dataset(split=split).to_parquet(str(path))


def _on_hub(file: str) -> bool:
    """Whether it lies there, or within an archive that does: zip://a.jsonl::hf://datasets/owner/name@1/a.zip."""
    return file.rpartition("::")[2].startswith(_HUB_FILE)


def _files(built: Built) -> Iterable[Iterable[object]]:
    files: object = getattr(built.config, "data_files", None)
    return files.values() if isinstance(files, Mapping) else ()


def main(arguments: Sequence[str]) -> int:
    """The process: NAME SPLIT PATH."""
    name, split, path = arguments
    try:
        datasets: Any = importlib.import_module("datasets")
    except ModuleNotFoundError:
        return ABSENT
    try:
        copy_split(datasets, name, split, Path(path))
    except Exception as cause:  # of datasets, of huggingface_hub, of the network: there is no common root
        told = str(cause) if isinstance(cause, PairFileError) else f"{type(cause).__name__}: {cause}"
        sys.stdout.write(told.encode("ascii", "backslashreplace").decode())
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
