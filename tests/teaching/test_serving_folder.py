"""The average as a model: what transformers loads is the average, rounded once."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

torch = pytest.importorskip("torch", reason="the oracle is torch: pip install 'co-rewarding[local]'")
transformers = pytest.importorskip("transformers", reason="it loads what is served: pip install 'co-rewarding[local]'")
pytest.importorskip("numba", reason="the average needs numba: pip install 'co-rewarding[local]'")
from co_rewarding_trainer.warm_start import SHIPPED  # noqa: E402
from safetensors.torch import load_file as load_torch  # noqa: E402

from reward_service.teaching.average import Average  # noqa: E402
from reward_service.teaching.safetensors_folder import read_manifest  # noqa: E402
from reward_service.teaching.safetensors_header import AverageError  # noqa: E402
from tests.support.weight_folders import INDEX, weights, write_model  # noqa: E402
from tests.teaching.disks import little_room  # noqa: E402

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of the laptop trainer after a step that it made up; its output layer is tied."""
    model = transformers.AutoModelForCausalLM.from_pretrained(SHIPPED)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    folder = tmp_path_factory.mktemp("policy") / "step-1"
    model.save_pretrained(folder)
    return folder


@pytest.fixture(params=[False, True], ids=["memory", "mapped"])
def average(request: pytest.FixtureRequest, tmp_path: Path, policy: Path) -> Iterator[Average]:
    with Average.open(tmp_path / "average", SHIPPED, mapped=request.param) as average:
        average.update(1, policy, 0.25)
        yield average


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("files", [1, 4])
def test_transformers_loads_the_average(average: Average, tmp_path: Path, policy: Path, dtype: str, files: int) -> None:
    size = read_manifest(SHIPPED).tensors
    largest = sum(tensor.elements for tensor in size.values()) * (4 if dtype == "float32" else 2) // (files - 1 or 1)
    served = average.write_serving(tmp_path / "serving" / "version-1", dtype, largest_file_bytes=largest)
    assert len(list(served.glob("*.safetensors"))) == files
    assert (served / INDEX).exists() == (files > 1)
    model, told = transformers.AutoModelForCausalLM.from_pretrained(served, dtype="auto", output_loading_info=True)
    assert not any(told.values())
    expected = transformers.AutoModelForCausalLM.from_pretrained(SHIPPED)
    with torch.no_grad():
        for ours, theirs in zip(
            expected.parameters(), transformers.AutoModelForCausalLM.from_pretrained(policy).parameters(), strict=True
        ):
            ours.copy_(ours + 0.75 * (theirs - ours))
    for ours, theirs in zip(model.parameters(), expected.to(DTYPES[dtype]).parameters(), strict=True):
        assert ours.dtype == DTYPES[dtype]
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_the_tokenizer_and_the_settings_are_the_base_s_and_the_dtype_its_own(average: Average, tmp_path: Path) -> None:
    served = average.write_serving(tmp_path / "served", "float16")
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        assert (served / name).read_bytes() == (SHIPPED / name).read_bytes()
    base = json.loads((SHIPPED / "config.json").read_text())
    assert json.loads((served / "config.json").read_text()) == base | {"dtype": "float16"}
    assert {path.name for path in served.iterdir()} == {path.name for path in SHIPPED.iterdir()}
    assert transformers.AutoTokenizer.from_pretrained(served).decode([3]) != ""


def test_a_configuration_that_names_no_dtype_names_the_one_that_is_served(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", weights(0, x=(3,)), config={"torch_dtype": "float32"})
    (base / INDEX).write_text(json.dumps({"weight_map": {"x": "model.safetensors"}}))
    (base / "pytorch_model.bin").write_bytes(b"pickle")
    (base / "pytorch_model.bin.index.json").write_text("{}")
    for number, config in enumerate(({"torch_dtype": "float32"}, {})):
        (base / "config.json").write_text(json.dumps(config))
        with Average.open(tmp_path / f"average-{number}", base) as average:
            served = average.write_serving(tmp_path / "served", "bfloat16")
        assert json.loads((served / "config.json").read_text()) == {"torch_dtype": "bfloat16"}
        assert {path.name for path in served.iterdir()} == {"config.json", "model.safetensors"}


def test_it_says_which_version_it_is(average: Average, tmp_path: Path) -> None:
    served = average.write_serving(tmp_path / "served", "bfloat16")
    with safe_open(served / "model.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt", "version": "1"}


def test_it_takes_the_place_of_what_was_there_and_of_what_was_left_half_done(average: Average, tmp_path: Path) -> None:
    root = tmp_path / "serving"
    for name in ("version-1", ".version-1.growing", ".version-1.gone"):
        (root / name).mkdir(parents=True)
        (root / name / "model-00001-of-00009.safetensors").write_bytes(b"half")
    served = average.write_serving(root / "version-1", "bfloat16")
    assert [path.name for path in root.iterdir()] == ["version-1"]
    assert read_manifest(served).shapes == average.manifest.shapes


def test_a_number_that_float16_does_not_hold_is_an_error(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", {"x": np.array([1.0, 70_000.0], np.float32)})
    with Average.open(tmp_path / "average", base) as average:
        with pytest.raises(AverageError, match="x holds numbers that F16 does not"):
            average.write_serving(tmp_path / "served", "float16")
        assert not (tmp_path / "served").exists()
        assert load_torch(average.write_serving(tmp_path / "served", "bfloat16") / "model.safetensors")["x"][1] > 69_000
    assert {path.name for path in tmp_path.iterdir()} == {"base", "average", "served"}


def test_another_dtype_is_refused(average: Average, tmp_path: Path) -> None:
    with pytest.raises(AverageError, match="'float64': give bfloat16, float16, float32"):
        average.write_serving(tmp_path / "served", "float64")


def test_a_disk_without_room_leaves_what_was_served(average: Average, tmp_path: Path) -> None:
    served = average.write_serving(tmp_path / "served", "bfloat16")
    before = (served / "model.safetensors").read_bytes()
    with pytest.raises(AverageError, match="cannot be written"), little_room():
        average.write_serving(tmp_path / "served", "float32")
    assert (served / "model.safetensors").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"average", "served"}
