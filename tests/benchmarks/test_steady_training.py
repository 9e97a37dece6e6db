"""What a long training measured is compared window by window; the first, in which everything starts, is left out."""

from pathlib import Path

import pytest

for needed in ("torch", "transformers", "matplotlib"):
    pytest.importorskip(needed, reason=f"a long training needs {needed}: pip install 'co-rewarding[local]'")

from benchmarks.steady_training import MIB, Look, table_of, windows_of, write_picture  # noqa: E402

WAITS_S = [0.5] * 10 + [0.02] * 80 + [0.04] * 10
LOOKS = [Look(step, {"api": 100 * MIB, "store": (10 + step // 10) * MIB}) for step in range(0, 100, 5)]


def test_windows_are_steps_in_a_row_with_their_latency_and_memory() -> None:
    windows = windows_of(WAITS_S, LOOKS)
    assert [(each.first, each.last) for each in windows] == [(first, first + 9) for first in range(0, 100, 10)]
    assert [each.p50_s for each in windows] == [0.5] + [0.02] * 8 + [0.04]
    assert [each.resident_bytes["store"] / MIB for each in windows] == list(range(10, 20))


def test_the_table_compares_the_second_window_with_the_last(tmp_path: Path) -> None:
    windows = windows_of(WAITS_S, LOOKS)
    told = table_of(windows, 256)
    assert "| steps | 10 to 19 | 90 to 99 |  |" in told
    assert "| rewards of 256 rollouts, p50 | 20 ms | 40 ms | 2.00 |" in told
    assert "| memory of api | 100 MiB | 100 MiB | 1.00 |" in told
    assert "| memory of store | 11 MiB | 19 MiB | 1.73 |" in told
    write_picture(windows, tmp_path / "steady.png")
    assert (tmp_path / "steady.png").stat().st_size > 5_000
