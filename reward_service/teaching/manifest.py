"""List the tensors of a folder, and compare them with the teacher's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reward_service.generation.tied import tied_output
from reward_service.teaching.safetensors_header import Shape, Tensor

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Manifest:
    """The tensors of a folder of safetensors by name, and the names that repeat one of them.

    Attributes:
        tensors: what is averaged, or copied, and where it lies.
        repeated: the shape of a tensor that is another one under a second name: a tied output layer. It may be there
            or not, on either side, since trainers differ (OpenRLHF writes it under ZeRO-2 and not under ZeRO-3).
        repeats: which tensor each of these is.
    """

    tensors: Mapping[str, Tensor]
    repeated: Mapping[str, Shape] = field(default_factory=dict)
    repeats: Mapping[str, str] = field(default_factory=dict)

    @property
    def shapes(self) -> dict[str, Shape]:
        """The tensors' shapes by name."""
        return {name: tensor.shape for name, tensor in self.tensors.items()}

    def tied(self, config: Mapping[str, Any]) -> "Manifest":
        """The same for a model with this config.json: an output layer that is the embedding is set aside.

        Only the embedding is averaged and written (`tied_output` says when).
        """
        found = tied_output(self.tensors, config)
        if found is None:
            return self
        head, embedding = found
        tensors = {name: tensor for name, tensor in self.tensors.items() if name != head}
        return Manifest(tensors, {head: self.tensors[embedding].shape}, {head: embedding})


def compare(teacher: Manifest, policy: Manifest) -> str | None:
    """How the policy's tensors differ from the teacher's by name, shape and kind; None where they do not.

    The message names the first few of each difference and counts the rest. Float types need not be the same.
    """
    ours, theirs = teacher.tensors, policy.tensors
    missing = sorted(ours.keys() - theirs.keys())
    extra = sorted(theirs.keys() - ours.keys() - teacher.repeated.keys())
    expected = teacher.shapes | dict(teacher.repeated)
    misshapen = [
        f"{name} is {list(tensor.shape)} instead of {list(expected[name])}"
        for name, tensor in sorted(theirs.items())
        if name in expected and tensor.shape != expected[name]
    ]
    mistyped = [
        f"{name} is {theirs[name].dtype} instead of {tensor.dtype}"
        for name, tensor in sorted(ours.items())
        if name in theirs and theirs[name].dtype != tensor.dtype and not _both_float(theirs[name], tensor)
    ]
    found = {"missing": missing, "not the teacher's": extra, "misshapen": misshapen, "of another kind": mistyped}
    told = [f"{len(each)} {kind}: {_some(each)}" for kind, each in found.items() if each]
    return f"the weights are not of the teacher's model: {'; '.join(told)}" if told else None


def _both_float(one: Tensor, other: Tensor) -> bool:
    return one.dtype.is_float and other.dtype.is_float


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
