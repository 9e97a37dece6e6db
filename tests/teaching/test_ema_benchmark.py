"""The benchmark of the average runs, and its rows are what they say."""

import contextlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the baseline is torch: pip install 'co-rewarding[local]'")
pytest.importorskip("numba", reason="the average needs numba: pip install 'co-rewarding[local]'")

from benchmarks import ema


def test_every_row_moves_the_average_as_torch_does(tmp_path: Path) -> None:
    with contextlib.ExitStack() as opened:
        arrays = ema.Arrays(100_000, tmp_path, opened)
        pool = opened.enter_context(ema.Pool(2))
        start = arrays.average.copy()
        policy = arrays.policy[ema.Dtype.F32][:] = start + 1.0
        expected = start + ema.WEIGHT * (policy - start)
        for row in arrays.contestants():
            arrays.average[:] = start
            row.run(pool)
            if row.dtype is ema.Dtype.F32:
                moved = arrays.average if row.kind == "in place" else arrays.elsewhere
                np.testing.assert_array_equal(moved, expected, err_msg=row.kind)
        arrays.average[:] = start
        assert arrays.baseline(threads=1) > 0
        np.testing.assert_allclose(arrays.average, expected, rtol=1e-6)


def test_the_table_has_a_row_of_everything_it_measured(tmp_path: Path) -> None:
    with contextlib.ExitStack() as opened:
        rows = ema.measured(ema.Arrays(10_000, tmp_path, opened), threads=[1, 2], rounds=1)
    assert [row.threads for row in rows] == [1] * 8 + [2] * 8
    assert all(row.ratio > 0 for row in rows)
    assert len(ema.table(rows).splitlines()) == 2 + 16
