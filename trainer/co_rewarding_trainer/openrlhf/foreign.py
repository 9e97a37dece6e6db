"""Type the objects of OpenRLHF, Ray and DeepSpeed, which are not installed where types are checked."""

from typing import Any, TypeAlias

Foreign: TypeAlias = Any
