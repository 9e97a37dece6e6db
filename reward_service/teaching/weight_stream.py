"""A policy's weights on their way from their files into the average, a cache full at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from reward_service.teaching.average_files import AverageFile
from reward_service.teaching.errors import WeightsFolderError
from reward_service.teaching.kernel import WIDENING, Widening, is_finite
from reward_service.teaching.safetensors_folder import WeightsFolder
from reward_service.teaching.safetensors_header import Tensor

ELEMENTS_AT_ONCE = 1 << 17
"""So much of the policy is read before it is used: it stays in a core's cache, and there is no float32 copy of it."""

ELEMENTS_OF_A_TASK = 1 << 22


@dataclass(frozen=True, slots=True)
class Stream:
    """One update: target ← source + weight·(policy - source), in float32.

    Attributes:
        policy: the folder that is read.
        source: the bytes of the average's file; not written to.
        held: the same bytes in memory, where they are held there: then these are changed in place, and `source` is not
            looked at.
        target: the file that is written; with writes, not through its map, so a full disk is an error and no more.
        weight: 1 - α.
    """

    policy: WeightsFolder
    source: np.ndarray
    held: np.ndarray | None
    target: AverageFile
    weight: np.float32

    def tasks(self) -> Iterator[Callable[[], None]]:
        """The work in pieces, which may run in any order and at the same time.

        One that meets a number that is not finite raises WeightsFolderError; what it wrote until then is of no use.
        """
        for name, ours in self.target.tensors.items():
            theirs = self.policy.manifest.tensors[name]
            if ours.dtype.is_float:
                for first in range(0, ours.elements, ELEMENTS_OF_A_TASK):
                    yield partial(self._move, name, ours, theirs, first)
            else:
                yield partial(self._copy, ours, theirs)

    def _move(self, name: str, ours: Tensor, theirs: Tensor, first: int) -> None:
        widening = WIDENING[theirs.dtype]
        last = min(first + ELEMENTS_OF_A_TASK, ours.elements)
        size = min(ELEMENTS_AT_ONCE, last - first)
        buffer, scratch = np.empty(size, widening.stored), np.empty(size, np.float32)
        for begin in range(first, last, size):
            policy, result = buffer[: last - begin], scratch[: last - begin]
            self.policy.read_into(policy.data.cast("B"), theirs, begin * policy.itemsize)
            place = slice(ours.begin + begin * result.itemsize, ours.begin + begin * result.itemsize + result.nbytes)
            if self.held is not None:
                result = self.held[place].view(np.float32)
            if not is_finite(self._moved(place, policy, result, widening)):
                raise WeightsFolderError(
                    f"{name} of the policy holds numbers that are not finite, and would spoil the teacher for good: "
                    "the training has diverged; go back to an earlier step"
                )
            self.target.write(result, place.start)

    def _moved(self, place: slice, policy: np.ndarray, result: np.ndarray, widening: Widening) -> int:
        if self.weight == 1:
            return widening.replace(result, policy)
        if self.held is not None:
            return widening.follow(result, policy, self.weight)
        return widening.follow_to(self.source[place].view(np.float32), policy, self.weight, result)

    def _copy(self, ours: Tensor, theirs: Tensor) -> None:
        buffer = np.empty(ours.end - ours.begin, np.uint8)
        self.policy.read_into(buffer.data, theirs)
        self.target.write(buffer, ours.begin)
        if self.held is not None:
            self.held[ours.begin : ours.end] = buffer
