"""A name for what OpenRLHF, Ray and DeepSpeed hand over: they are not installed where types are checked."""

from typing import Any, TypeAlias

Foreign: TypeAlias = Any
