"""The average of one run: exact, and the same however it is kept."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the oracle is torch: pip install 'co-rewarding[local]'")
pytest.importorskip("numba", reason="the average needs numba: pip install 'co-rewarding[local]'")
from safetensors.torch import load_file as load_torch  # noqa: E402
from safetensors.torch import save_file as save_torch  # noqa: E402

from reward_service.domain.teacher import alpha  # noqa: E402
from reward_service.teaching.average import Average  # noqa: E402
from reward_service.teaching.safetensors_header import OlderVersionError, WeightsFolderError  # noqa: E402
from reward_service.teaching.weight_passes import ELEMENTS_AT_ONCE, ELEMENTS_OF_A_TASK  # noqa: E402
from tests.support.weight_folders import weights, write_model  # noqa: E402
from tests.teaching.averages import SHAPES, assert_equal, kept, moved  # noqa: E402


@pytest.fixture(params=[False, True], ids=["memory", "mapped"])
def mapped(request: pytest.FixtureRequest) -> bool:
    """How the average is kept."""
    return request.param


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_model(tmp_path / "base", weights(0, **SHAPES))


@pytest.fixture
def average(tmp_path: Path, base: Path, mapped: bool) -> Iterator[Average]:
    with Average.open(tmp_path / "average", base, mapped=mapped, threads=2) as average:
        yield average


def test_it_begins_as_the_model_it_starts_from(average: Average, tmp_path: Path) -> None:
    assert (average.version, average.alpha) == (0, None)
    assert_equal(kept(average, tmp_path), weights(0, **SHAPES))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_a_model_of_any_float_type_becomes_float32_exactly(tmp_path: Path, mapped: bool, dtype: str) -> None:
    base = write_model(tmp_path / "base", {})
    tensors = {name: torch.from_numpy(value).to(getattr(torch, dtype)) for name, value in weights(0, **SHAPES).items()}
    save_torch(tensors, base / "model.safetensors")
    with Average.open(tmp_path / "average", base, mapped=mapped) as average:
        assert_equal(kept(average, tmp_path), {name: value.float().numpy() for name, value in tensors.items()})


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("files", [1, 3])
def test_an_update_moves_it_towards_the_policy(average: Average, tmp_path: Path, dtype: str, files: int) -> None:
    policy = {name: torch.from_numpy(value).to(getattr(torch, dtype)) for name, value in weights(1, **SHAPES).items()}
    folder = write_model(tmp_path / "step-3", {}, config={})
    (folder / "model.safetensors").unlink()
    for number in range(files):
        part = {name: policy[name] for name in sorted(policy)[number::files]}
        save_torch(part, folder / f"model-{number}.safetensors")
    average.update(3, folder, 0.75)
    assert (average.version, average.alpha) == (3, 0.75)
    wide = {name: value.float().numpy() for name, value in policy.items()}
    assert_equal(kept(average, tmp_path), moved(weights(0, **SHAPES), wide, 0.25))


def test_float32_follows_where_bfloat16_stands_still(tmp_path: Path, mapped: bool) -> None:
    """Why the average is float32: 50 steps at the paper's last α, of a policy whose weights move by a thousandth.

    The teacher's should move by 2.5 millionths: over a thousand units in the last place of a float32 of 0.02, and a
    fiftieth of one of a bfloat16.
    """
    steps, shapes = 50, {"attention": (64, 48), "embed": (501, 32), "norm": (64,)}
    start = {name: torch.from_numpy(value).bfloat16() for name, value in weights(0, **shapes).items()}
    base = write_model(tmp_path / "base", {name: value.float().numpy() for name, value in start.items()})
    exact = {name: value.double() for name, value in start.items()}
    coarse = {name: value.clone() for name, value in start.items()}
    average = Average.open(tmp_path / "average", base, mapped=mapped, threads=2)
    for step in range(1, steps + 1):
        learned = {name: torch.from_numpy(value) for name, value in weights(step, 1e-4, **shapes).items()}
        policy = {name: value.float() + 1e-3 * step / steps + learned[name] for name, value in start.items()}
        average.update(step, write_model(tmp_path / f"{step}", {n: v.numpy() for n, v in policy.items()}), 0.9999)
        for name, value in policy.items():
            exact[name] = 0.9999 * exact[name] + (1.0 - 0.9999) * value.double()
            coarse[name].lerp_(value.bfloat16(), 1.0 - 0.9999)
    found = load_torch(average.write_serving(tmp_path / "served", "float32") / "model.safetensors")
    for name, reference in exact.items():
        way = (reference - start[name].double()).norm()
        assert (found[name].double() - reference).norm() <= 0.003 * way
        assert (coarse[name].double() - reference).norm() >= 0.99 * way, "a bfloat16 average would do after all"
        assert (coarse[name] == start[name]).double().mean() >= 0.99


def test_fifty_random_updates_are_those_of_exact_arithmetic(average: Average, tmp_path: Path) -> None:
    """Of the paper's schedule. Relative to what a tensor holds: altogether to its norm, each to its largest number."""
    exact = {name: value.astype(np.float64) for name, value in weights(0, **SHAPES).items()}
    for step in range(1, 51):
        policy = weights(step, **SHAPES)
        kept_share = alpha(step, total_steps=50)
        average.update(step, write_model(tmp_path / f"step-{step}", policy), kept_share)
        exact = {name: kept_share * value + (1 - kept_share) * policy[name] for name, value in exact.items()}
    for name, value in kept(average, tmp_path).items():
        if value.size:
            error = np.abs(value - exact[name])
            assert np.linalg.norm(error) <= 1e-6 * np.linalg.norm(exact[name])
            assert error.max() <= 1e-6 * np.abs(exact[name]).max()


def test_an_alpha_of_one_moves_the_version_only(average: Average, tmp_path: Path) -> None:
    """The ablation of a frozen teacher. The policy's numbers are not even read, its names are."""
    average.update(4, write_model(tmp_path / "step-4", weights(1, np.nan, **SHAPES)), 1.0)
    assert (average.version, average.alpha) == (4, 1.0)
    assert_equal(kept(average, tmp_path), weights(0, **SHAPES))
    with pytest.raises(WeightsFolderError, match="missing"):
        average.update(5, write_model(tmp_path / "step-5", weights(1, embed=(37, 16))), 1.0)


def test_an_alpha_of_zero_is_the_policy_exactly(average: Average, tmp_path: Path) -> None:
    policy = weights(1, **SHAPES)
    policy["norm"][:4] = 0.0, -0.0, np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal
    average.update(1, write_model(tmp_path / "step-1", policy), 0.0)
    found = kept(average, tmp_path)
    assert_equal(found, policy)
    np.testing.assert_array_equal(np.signbit(found["norm"]), np.signbit(policy["norm"]))


def test_a_version_is_taken_once_and_an_older_one_never(average: Average, tmp_path: Path) -> None:
    policy = write_model(tmp_path / "step-7", weights(1, **SHAPES))
    average.update(7, policy, 0.5)
    once = kept(average, tmp_path)
    average.update(7, policy, 0.5)
    average.update(7, tmp_path / "is not looked at", 0.0)
    for version in (6, 0, -1):
        with pytest.raises(OlderVersionError, match=f"at step 7, and was given step {version}"):
            average.update(version, policy, 0.5)
    assert (average.version, average.alpha) == (7, 0.5)
    assert_equal(kept(average, tmp_path), once)


def test_it_does_not_depend_on_threads_nor_on_how_it_is_kept(tmp_path: Path) -> None:
    """With tensors that are cut: of several tasks, none of which is a whole number of reads."""
    size = ELEMENTS_OF_A_TASK + 3 * ELEMENTS_AT_ONCE // 2 + 1
    base = write_model(tmp_path / "base", weights(0, large=(size,), small=(3,)))
    policy = write_model(tmp_path / "step-1", weights(1, large=(size,), small=(3,)))
    expected = moved(weights(0, large=(size,), small=(3,)), weights(1, large=(size,), small=(3,)), 0.01)
    for number, (threads, mapped) in enumerate([(1, False), (2, False), (5, True)]):
        with Average.open(tmp_path / f"average-{number}", base, mapped=mapped, threads=threads) as average:
            average.update(1, policy, 0.99)
            assert_equal(kept(average, tmp_path), expected)


def test_it_goes_on_where_it_stood_however_it_is_kept_next(tmp_path: Path, base: Path) -> None:
    expected: dict[str, np.ndarray] = weights(0, **SHAPES)
    for step, mapped in enumerate([False, True, False, True], 1):
        with Average.open(tmp_path / "average", base, mapped=mapped) as average:
            assert average.version == step - 1
            assert_equal(kept(average, tmp_path), expected)
            average.update(step, write_model(tmp_path / f"step-{step}", weights(step, **SHAPES)), 0.5)
            expected = moved(expected, weights(step, **SHAPES), 0.5)
    with Average.open(tmp_path / "average", base) as average:
        assert_equal(kept(average, tmp_path), expected)


def test_the_folder_takes_no_more_than_two_copies(average: Average, tmp_path: Path) -> None:
    for step in range(1, 6):
        average.update(step, write_model(tmp_path / f"step-{step}", weights(step, **SHAPES)), 0.5)
    names = {path.name for path in (tmp_path / "average").iterdir()}
    assert names == {"a.safetensors", "b.safetensors", "lock", "state.json"}


def test_buffers_are_the_policy_s(tmp_path: Path, mapped: bool) -> None:
    def with_buffers(seed: int, count: int) -> dict[str, np.ndarray]:
        return weights(seed, norm=(5,)) | {"count": np.array([count, 2]), "mask": np.array([True, count > 1, False])}

    base = write_model(tmp_path / "base", with_buffers(0, 1))
    with Average.open(tmp_path / "average", base, mapped=mapped) as average:
        assert_equal(kept(average, tmp_path), with_buffers(0, 1))
        average.update(1, write_model(tmp_path / "step-1", with_buffers(1, 7)), 0.5)
        found = kept(average, tmp_path)
    assert_equal(found, with_buffers(1, 7) | moved(weights(0, norm=(5,)), weights(1, norm=(5,)), 0.5))
    assert found["count"].dtype == np.int64


def test_a_tied_output_layer_is_kept_once(tmp_path: Path, mapped: bool) -> None:
    """OpenRLHF writes it under ZeRO-2 and not under ZeRO-3."""
    tied = {"tie_word_embeddings": True}

    def body(seed: int) -> dict[str, np.ndarray]:
        return {f"model.{name}.weight": value for name, value in weights(seed, embed_tokens=(9, 4), norm=(4,)).items()}

    def whole(seed: int) -> dict[str, np.ndarray]:
        return body(seed) | {"lm_head.weight": body(seed)["model.embed_tokens.weight"].copy()}

    for number, (begins, first, second) in enumerate([(body, whole, body), (whole, body, whole)]):
        base = write_model(tmp_path / f"base-{number}", begins(0), config=tied)
        with Average.open(tmp_path / f"average-{number}", base, mapped=mapped) as average:
            average.update(1, write_model(tmp_path / f"step-1-{number}", first(1)), 0.5)
            average.update(2, write_model(tmp_path / f"step-2-{number}", second(2)), 0.5)
            assert_equal(kept(average, tmp_path), moved(moved(body(0), body(1), 0.5), body(2), 0.5))


def test_a_tied_output_layer_that_is_not_the_embedding_is_refused(tmp_path: Path, mapped: bool) -> None:
    tied = {"tie_word_embeddings": True}

    def body(seed: int) -> dict[str, np.ndarray]:
        return {f"model.{name}.weight": value for name, value in weights(seed, embed_tokens=(9, 4), norm=(4,)).items()}

    def parted(seed: int) -> dict[str, np.ndarray]:
        return body(seed) | {"lm_head.weight": body(seed)["model.embed_tokens.weight"] + 1}

    complaint = "lm_head.weight differs from model.embed_tokens.weight"
    with pytest.raises(WeightsFolderError, match=complaint):
        Average.open(tmp_path / "refused", write_model(tmp_path / "parted", parted(0), config=tied), mapped=mapped)
    base = write_model(tmp_path / "base", body(0), config=tied)
    with Average.open(tmp_path / "average", base, mapped=mapped) as average:
        with pytest.raises(WeightsFolderError, match=complaint):
            average.update(1, write_model(tmp_path / "step-1", parted(1)), 0.5)
        assert average.version == 0
        assert_equal(kept(average, tmp_path), body(0))
