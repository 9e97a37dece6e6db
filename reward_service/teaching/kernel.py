"""Compute the average: read and write each number once, so that memory sets the speed.

Loops that numba compiles for the machine at hand, since no operation of torch takes a float32 average and a bfloat16
policy: torch needs the policy as float32 first, in a pass of its own. They hold no lock while they run, so threads
share the work. Numbers are computed alone (no sums, no fused multiply-add), so a result depends neither on how the work
is cut into pieces nor on the machine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from reward_service.teaching.safetensors_header import Dtype

Loop = Callable[..., int]
"""A compiled loop over arrays of one length; gives the largest magnitude that it wrote, as the bits of a float."""

_I16, _I32 = ir.IntType(16), ir.IntType(32)
_INFINITE_BITS = 0x7F800000  # of float32; what is not a number is above it


def is_finite(largest: int) -> bool:
    """Whether all that a loop wrote is finite, by what it gave."""
    return largest < _INFINITE_BITS


@dataclass(frozen=True, slots=True)
class Widening:
    """The loops that take a policy of one float type, in arrays of `stored`, into a float32 average.

    Attributes:
        stored: 16-bit floats are held as their bits, since numpy does not compute with bfloat16.
        follow: (average, policy, weight): average ← average + weight·(policy - average). With weight = 1 - α this is
            α·average + (1 - α)·policy, in the form that leaves equal numbers equal to the last bit.
        follow_to: (average, policy, weight, result): the same, written elsewhere.
        replace: (average, policy): average ← policy; what α = 0 means, without a rounding.
    """

    stored: np.dtype[Any]
    follow: Loop
    follow_to: Loop
    replace: Loop


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The loop that rounds float32 to another float type, to nearest and ties to even: (values, result)."""

    stored: np.dtype[Any]
    round_to: Loop


def _from_llvm(source: Any, target: Any, build: Callable[[ir.IRBuilder, Any], Any]) -> Any:  # noqa: ANN401 - numba's types
    """A function of one number, given as LLVM's own instructions: numba has no 16-bit floats, and LLVM does."""

    def typed(_context: object, _number: object) -> tuple[Any, Any]:
        return target(source), lambda _, builder, __, arguments: build(builder, arguments[0])

    return intrinsic(typed)


def _const(value: int) -> ir.Constant:
    return ir.Constant(_I32, value)


def _rounded_bfloat16(builder: ir.IRBuilder, number: Any) -> Any:  # noqa: ANN401
    bits = builder.bitcast(number, _I32)
    odd = builder.and_(builder.lshr(bits, _const(16)), _const(1))  # a tie goes to the even neighbour
    return builder.trunc(builder.lshr(builder.add(builder.add(bits, _const(0x7FFF)), odd), _const(16)), _I16)


def _widened_bfloat16(builder: ir.IRBuilder, bits: Any) -> Any:  # noqa: ANN401
    return builder.bitcast(builder.shl(builder.zext(bits, _I32), _const(16)), ir.FloatType())


_magnitude = _from_llvm(
    types.float32, types.uint32, lambda b, number: b.and_(b.bitcast(number, _I32), _const(0x7FFFFFFF))
)
_same = _from_llvm(types.float32, types.float32, lambda _, number: number)
_from_bfloat16 = _from_llvm(types.uint16, types.float32, _widened_bfloat16)
_to_bfloat16 = _from_llvm(types.float32, types.uint16, _rounded_bfloat16)
_from_float16 = _from_llvm(
    types.uint16, types.float32, lambda b, bits: b.fpext(b.bitcast(bits, ir.HalfType()), ir.FloatType())
)
_to_float16 = _from_llvm(
    types.float32, types.uint16, lambda b, number: b.bitcast(b.fptrunc(number, ir.HalfType()), _I16)
)


def _compiled(loop: Callable[..., Any]) -> Loop:
    """Compiled at its first call, for a second or so; not kept on disk, which may be read-only."""
    return njit(nogil=True, error_model="numpy")(loop)


def _widening(stored: type[np.generic], widened: Any) -> Widening:  # noqa: ANN401
    def follow(average: np.ndarray, policy: np.ndarray, weight: np.float32) -> np.uint32:
        largest = np.uint32(0)
        for i in range(average.size):
            kept = average[i]
            moved = kept + weight * (widened(policy[i]) - kept)
            average[i] = moved
            largest = max(largest, _magnitude(moved))
        return largest

    # Not the same loop with two names for one array: the compiler must know that arrays do not overlap.
    def follow_to(average: np.ndarray, policy: np.ndarray, weight: np.float32, result: np.ndarray) -> np.uint32:
        largest = np.uint32(0)
        for i in range(average.size):
            kept = average[i]
            moved = kept + weight * (widened(policy[i]) - kept)
            result[i] = moved
            largest = max(largest, _magnitude(moved))
        return largest

    def replace(average: np.ndarray, policy: np.ndarray) -> np.uint32:
        largest = np.uint32(0)
        for i in range(average.size):
            moved = widened(policy[i])
            average[i] = moved
            largest = max(largest, _magnitude(moved))
        return largest

    return Widening(np.dtype(stored), _compiled(follow), _compiled(follow_to), _compiled(replace))


def _narrowing(stored: type[np.generic], narrowed: Any, widened: Any) -> Narrowing:  # noqa: ANN401
    def round_to(values: np.ndarray, result: np.ndarray) -> np.uint32:
        largest = np.uint32(0)
        for i in range(values.size):
            rounded = narrowed(values[i])
            result[i] = rounded
            largest = max(largest, _magnitude(widened(rounded)))
        return largest

    return Narrowing(np.dtype(stored), _compiled(round_to))


WIDENING: Mapping[Dtype, Widening] = {
    Dtype.F32: _widening(np.float32, _same),
    Dtype.BF16: _widening(np.uint16, _from_bfloat16),
    Dtype.F16: _widening(np.uint16, _from_float16),
}
"""By the float type of the policy's weights."""

NARROWING: Mapping[Dtype, Narrowing] = {
    Dtype.F32: _narrowing(np.float32, _same, _same),
    Dtype.BF16: _narrowing(np.uint16, _to_bfloat16, _from_bfloat16),
    Dtype.F16: _narrowing(np.uint16, _to_float16, _from_float16),
}
"""By the float type of the weights that are served."""
