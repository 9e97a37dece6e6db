"""A module, or a script, whose text is not that of its file."""

import importlib.abc
import importlib.util
from collections.abc import Callable
from importlib.resources import files

LIBRARIES = frozenset({"cohort.lua", "labels.lua", "peers.lua", "traces.lua"})
"""What stands before several scripts."""


class Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module's text in place of its file, should nobody have imported it yet."""

    def __init__(self, module: str, text: str) -> None:
        """`module` is its full name."""
        self._name, self._text = module, text

    def find_spec(self, fullname, path, target=None):
        """The one module's."""
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module) -> None:
        """Runs the text as the module."""
        exec(compile(self._text, self._name, "exec"), module.__dict__)


def changed(file: str, old: str, new: str) -> Callable[[str], str]:
    """Changes a script on its way to the server, or a library in each script that has it."""
    original = (files("reward_service.store") / "lua" / file).read_text()
    assert old in original, f"{file} has no {old!r}"

    def change(text: str) -> str:
        if file in LIBRARIES:
            return text.replace(old, new)
        return text.removesuffix(original) + original.replace(old, new) if text.endswith(original) else text

    return change
