"""Type the objects of a trainer's framework, which is not installed where types are checked."""

from typing import Any, TypeAlias

Foreign: TypeAlias = Any
