"""The average's arithmetic: its laws, number by number."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

torch = pytest.importorskip("torch", reason="the oracle is torch: pip install 'co-rewarding[local]'")
pytest.importorskip("numba", reason="the average needs numba: pip install 'co-rewarding[local]'")

from reward_service.teaching.kernel import NARROWING, WIDENING, is_finite  # noqa: E402
from reward_service.teaching.safetensors_header import Dtype  # noqa: E402

FLOATS = [Dtype.F32, Dtype.BF16, Dtype.F16]
OF_TORCH = {Dtype.F32: torch.float32, Dtype.BF16: torch.bfloat16, Dtype.F16: torch.float16}
HALVES = [Dtype.BF16, Dtype.F16]
EPSILON = 2.0**-24  # half a unit in the last place of a float32 between 1 and 2
TINY = 1e-37  # below it, floats are rounded to more than their precision

numbers = st.floats(-8.0, 8.0, width=32)
sizes = st.integers(1, 70)
vectors = sizes.flatmap(lambda size: arrays(np.float32, size, elements=numbers))
pairs = sizes.flatmap(lambda size: st.tuples(*(arrays(np.float32, size, elements=numbers),) * 2))
alphas = st.floats(0.0, 1.0).filter(lambda alpha: alpha == 0.0 or alpha > 1e-3)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """So that no example takes the seconds of compiling."""
    one, weight = np.ones(1, np.float32), np.float32(0.5)
    for dtype, widening in WIDENING.items():
        policy = stored(one, dtype)
        widening.follow(one.copy(), policy, weight)
        widening.follow_to(one, policy, weight, one.copy())
        widening.replace(one.copy(), policy)
        NARROWING[dtype].round_to(one, policy)


def stored(values: np.ndarray, dtype: Dtype) -> np.ndarray:
    """As a policy of this dtype lies in memory: torch rounds."""
    tensor = torch.from_numpy(values.copy()).to(OF_TORCH[dtype])
    return tensor.numpy() if dtype is Dtype.F32 else tensor.view(torch.uint16).numpy()


def widened(policy: np.ndarray, dtype: Dtype) -> np.ndarray:
    """The float32 numbers that it is: torch widens."""
    tensor = torch.from_numpy(policy.copy())
    return (tensor if dtype is Dtype.F32 else tensor.view(OF_TORCH[dtype]).float()).numpy()


def followed(average: np.ndarray, policy: np.ndarray, alpha: float, dtype: Dtype = Dtype.F32) -> np.ndarray:
    """A new array: α·average + (1 - α)·policy."""
    result = average.copy()
    assert is_finite(WIDENING[dtype].follow(result, policy, np.float32(1.0 - alpha)))
    return result


def bits(values: np.ndarray) -> np.ndarray:
    return values.view(np.uint32)


@pytest.mark.parametrize("dtype", HALVES)
def test_every_16_bit_float_is_widened_as_torch_does_it(dtype: Dtype) -> None:
    policy = np.arange(1 << 16, dtype=np.uint16)
    result = np.empty(policy.size, np.float32)
    WIDENING[dtype].replace(result, policy)
    expected = widened(policy, dtype)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(expected))
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(bits(result)[known], bits(expected)[known])


@pytest.mark.parametrize("dtype", FLOATS)
def test_what_is_widened_is_narrowed_to_what_it_was(dtype: Dtype) -> None:
    policy = np.arange(1 << 16, dtype=np.uint16) if dtype in HALVES else np.arange(1 << 16, dtype=np.float32)
    policy = policy[np.isfinite(widened(policy, dtype))]
    wide, narrow = np.empty(policy.size, np.float32), np.empty_like(policy)
    assert is_finite(WIDENING[dtype].replace(wide, policy))
    assert is_finite(NARROWING[dtype].round_to(wide, narrow))
    np.testing.assert_array_equal(narrow, policy)


@pytest.mark.parametrize("dtype", FLOATS)
@given(values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=70))
def test_narrowing_rounds_as_torch_does_and_says_what_does_not_fit(dtype: Dtype, values: list[float]) -> None:
    wide = np.array(values, np.float32)
    narrow = np.empty(wide.size, NARROWING[dtype].stored)
    fits = is_finite(NARROWING[dtype].round_to(wide, narrow))
    expected = stored(wide, dtype)
    np.testing.assert_array_equal(narrow, expected)
    assert fits == bool(np.isfinite(widened(expected, dtype)).all())


@pytest.mark.parametrize("dtype", HALVES)
def test_a_tie_is_rounded_to_the_even_neighbour(dtype: Dtype) -> None:
    """Numbers halfway between two of the narrow type, and their neighbours in float32."""
    policy = np.arange((1 << 15) - 1, dtype=np.uint16)
    policy = policy[np.isfinite(widened(policy + 1, dtype))]
    halfway = ((widened(policy, dtype).astype(np.float64) + widened(policy + 1, dtype)) / 2).astype(np.float32)
    for values in (halfway, np.nextafter(halfway, np.float32(0)), np.nextafter(halfway, np.float32(np.inf))):
        narrow = np.empty(values.size, np.uint16)
        NARROWING[dtype].round_to(values, narrow)
        np.testing.assert_array_equal(narrow, stored(values, dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@given(pair=pairs, alpha=alphas)
def test_it_is_the_formula_of_the_paper(dtype: Dtype, pair: tuple[np.ndarray, np.ndarray], alpha: float) -> None:
    average, policy = pair[0], stored(pair[1], dtype)
    result = followed(average, policy, alpha, dtype)
    exact = alpha * average.astype(np.float64) + (1.0 - alpha) * widened(policy, dtype)
    # Three roundings (difference, product, sum) and that of the weight, each at most half a unit of what it is of.
    scale = np.abs(average).astype(np.float64) + 3 * np.abs(widened(policy, dtype) - average)
    assert (np.abs(result - exact) <= 2 * EPSILON * scale + TINY).all()


@given(average=vectors, alpha=st.floats(0.0, 1.0))
def test_equal_numbers_stay_equal_to_the_bit(average: np.ndarray, alpha: float) -> None:
    result = followed(average, average, alpha)
    average[average == 0] = 0.0  # a zero loses its sign
    np.testing.assert_array_equal(bits(result), bits(average))


@given(pair=pairs)
def test_an_alpha_of_one_changes_nothing(pair: tuple[np.ndarray, np.ndarray]) -> None:
    np.testing.assert_array_equal(followed(*pair, alpha=1.0), pair[0])


@pytest.mark.parametrize("dtype", FLOATS)
@given(pair=pairs)
def test_replacing_is_an_alpha_of_zero_without_a_rounding(dtype: Dtype, pair: tuple[np.ndarray, np.ndarray]) -> None:
    policy = stored(pair[1], dtype)
    result = pair[0].copy()
    assert is_finite(WIDENING[dtype].replace(result, policy))
    np.testing.assert_array_equal(bits(result), bits(widened(policy, dtype)))
    np.testing.assert_allclose(followed(pair[0], policy, 0.0, dtype), result, rtol=4 * EPSILON, atol=64 * EPSILON)


@given(pair=pairs, first=alphas, second=alphas)
def test_two_updates_towards_one_policy_are_one_with_the_product(
    pair: tuple[np.ndarray, np.ndarray], first: float, second: float
) -> None:
    average, policy = pair
    twice = followed(followed(average, policy, first), policy, second)
    once = followed(average, policy, first * second)
    scale = np.abs(average).astype(np.float64) + np.abs(policy)
    assert (np.abs(twice.astype(np.float64) - once) <= 12 * EPSILON * scale + TINY).all()


@pytest.mark.parametrize("dtype", FLOATS)
@given(pair=pairs, alpha=alphas, cut=st.integers(0, 70))
def test_neither_the_cut_nor_the_place_changes_a_bit(
    dtype: Dtype, pair: tuple[np.ndarray, np.ndarray], alpha: float, cut: int
) -> None:
    average, policy, weight = pair[0], stored(pair[1], dtype), np.float32(1.0 - alpha)
    whole = followed(average, policy, alpha, dtype)
    pieces, elsewhere = average.copy(), np.empty_like(average)
    for piece in (slice(0, cut), slice(cut, None)):
        WIDENING[dtype].follow(pieces[piece], policy[piece], weight)
        WIDENING[dtype].follow_to(average[piece], policy[piece], weight, elsewhere[piece])
    np.testing.assert_array_equal(bits(pieces), bits(whole))
    np.testing.assert_array_equal(bits(elsewhere), bits(whole))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -np.inf])
@settings(max_examples=30)
@given(size=st.integers(1, 200), share=st.floats(0, 1, exclude_max=True))
def test_one_number_that_is_not_finite_is_seen_wherever_it_is(
    dtype: Dtype, spoilt: float, size: int, share: float
) -> None:
    average, values = np.ones(size, np.float32), np.full(size, 2.0, np.float32)
    widening, weight = WIDENING[dtype], np.float32(0.5)
    assert is_finite(widening.follow_to(average, stored(values, dtype), weight, np.empty_like(average)))
    values[int(share * size)] = spoilt
    policy = stored(values, dtype)
    assert not is_finite(widening.follow_to(average, policy, weight, np.empty_like(average)))
    assert not is_finite(widening.follow(average.copy(), policy, weight))
    assert not is_finite(widening.replace(average.copy(), policy))


def test_finite_numbers_too_far_apart_are_seen() -> None:
    largest = np.finfo(np.float32).max
    assert not is_finite(WIDENING[Dtype.F32].follow(np.array([-largest]), np.array([largest]), np.float32(0.5)))
