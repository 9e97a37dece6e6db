# pyright: basic, reportMissingImports=false
"""Load slime's or miles' own source where their requirements are not installed: no GPU, no Ray, no SGLang.

SLIME_SOURCE or MILES_SOURCE names a folder of the source; without it miles is downloaded from PyPI, and slime, which is
not there, is cloned from GitHub. What they import and this machine lacks is replaced by `Absent`.
"""

import importlib.abc
import importlib.machinery
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

MILES = "miles-rl==0.0.2"
SLIME = "https://github.com/THUDM/slime"

REPLACEABLE = frozenset(
    {"apex", "megatron", "memray", "mooncake", "omegaconf", "openai", "pybase64", "pylatexenc", "qwen_vl_utils", "ray"}
    | {
        "requests",
        "ring_flash_attn",
        "sglang",
        "sglang_router",
        "tensorboard",
        "torchft",
        "transformer_engine",
        "wandb",
    }
)


class SourceNotFoundError(Exception):
    """No folder is named, and none could be downloaded."""


class Absent(ModuleType):
    """What stands for a package that is not installed: any attribute is another, and a call returns its argument.

    So `@ray.remote` leaves a class as it is, but for its actors, and `ray.get(ray.put(value))` is the value.
    """

    __path__: ClassVar[list[str]] = []
    __version__ = "999"

    def __getattr__(self, name: str) -> Any:
        """Return another of its kind; special names are not there."""
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self.__name__}.{name}")

    def __call__(self, *given: Any, **_: Any) -> Any:
        """Return the first argument, or itself."""
        if not given or given[0] is None:
            return self
        if isinstance(given[0], type):
            given[0].options = Absent("options")
        return given[0]

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        """Let a class have it as its base."""
        return (object,)

    def __iter__(self) -> Iterator[Any]:
        """Yield nothing."""
        return iter(())


class AbsentFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what no other finder has found."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        """Return a spec for the packages that may be replaced, and what is in them."""
        if name.partition(".")[0] in REPLACEABLE:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Make the replacement."""
        return Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing."""


def load(trainer: str, downloads: Path) -> Path:
    """Make `slime` or `miles` importable, and return the folder of its source.

    Raises:
        SourceNotFoundError: there is none, with what was tried.
    """
    folder = found(trainer, downloads)
    sys.path.insert(0, str(folder))
    sys.meta_path.append(AbsentFinder())
    return folder


def found(trainer: str, downloads: Path) -> Path:
    """Return the folder that holds the package `trainer`; it is downloaded once."""
    variable = f"{trainer.upper()}_SOURCE"
    if given := os.environ.get(variable):
        if not (Path(given) / trainer / "__init__.py").exists():
            raise SourceNotFoundError(f"{variable} is {given!r}, where there is no package {trainer}")
        return Path(given)
    folder = downloads / trainer
    if not folder.exists():
        unfinished = downloads / f"{trainer}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            (_from_pypi if trainer == "miles" else _cloned)(unfinished)
        except subprocess.CalledProcessError as error:
            words = (error.stderr or "").strip().splitlines()[-1:]
            raise SourceNotFoundError(f"{trainer} could not be downloaded ({words}); give {variable}") from error
        unfinished.rename(folder)
    return folder


def _from_pypi(folder: Path) -> None:
    # Its wheel has SGLang and Megatron too, which are left out.
    _run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), MILES)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith("miles/")])
    wheel.unlink()


def _cloned(folder: Path) -> None:
    _run(
        "git",
        "-c",
        "http.lowSpeedTime=20",
        "-c",
        "http.lowSpeedLimit=1",
        "clone",
        "--quiet",
        "--depth",
        "1",
        SLIME,
        str(folder),
    )


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"GIT_TERMINAL_PROMPT": "0"})
