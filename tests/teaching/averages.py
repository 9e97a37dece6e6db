"""What an average holds, and what it must hold."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from reward_service.teaching.average import Average

SHAPES = {"embed": (37, 16), "mlp": (16, 33), "norm": (16,), "scalar": (), "none": (0, 3)}
Tensors = Mapping[str, np.ndarray]


def kept(average: Average, tmp_path: Path) -> dict[str, np.ndarray]:
    """The average's numbers, as they are served in float32."""
    return load_file(average.write_serving(tmp_path / "served", "float32") / "model.safetensors")


def assert_equal(found: Tensors, expected: Tensors) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)


def moved(before: Tensors, policy: Tensors, weight: float) -> dict[str, np.ndarray]:
    """What the average must be, to the bit: numpy's float32."""
    return {name: tensor + np.float32(weight) * (policy[name] - tensor) for name, tensor in before.items()}
