"""The report of a load test, from records that are known."""

from pathlib import Path

from reward_service.tools.loadtest.arrivals import Traffic
from reward_service.tools.loadtest.parts import ServicePart
from reward_service.tools.loadtest.records import Log, Record, read, settle_delays_s, write
from reward_service.tools.loadtest.report import LoadReport, percentile

SINGLES = [
    Record("singles", 1, 1, 0.0, 0.0, 2.0, [], 200, True),
    Record("singles", 1, 1, 1.0, 1.0, 2.1, [], 200, True),
    Record("singles", 2, 1, 1.0, 1.5, 1.6, [503], 200, True),
    Record("singles", 3, 1, 3.0, 3.0, 4.0, [], 200, False),
]
BATCH = Record("batches", 9, 64, 1.0, 1.0, 1.25, [], 200, True)


def report(*records: Record) -> LoadReport:
    return LoadReport("Test", Traffic(100, 4), records, {"api": ServicePart(0.5, 50 * 2**20)})


def test_the_delay_of_a_cohort_counts_from_its_last_ballot():
    delays = settle_delays_s([*SINGLES, BATCH])
    assert [round(delay, 6) for delay in delays] == [1.1, 0.1, 1.0]


def test_a_percentile_is_one_of_the_values():
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, p) for p in (0, 50, 99, 100)] == [1, 50, 99, 100]
    assert percentile([], 99) == 0


def test_the_tables_say_what_was_and_what_went_wrong():
    made = report(*SINGLES, BATCH)
    text = made.markdown()
    assert made.failed == 1
    assert made.rate == (1 + 1 + 1 + 64) / 2.1
    assert "| batches | 1 | 64 | 250.0 | 250.0 | 250.0 | 250.0 | 0 | 0 |" in text
    assert "| singles | 4 | 4 | 1,100.0 | 2,000.0 | 2,000.0 | 2,000.0 | 1 | 1 |" in text
    assert "Errors: 200 with a wrong reward × 1, 503 × 1." in text
    assert "| api | 0.50 | 50 |" in text
    assert "the generator was the limit" not in text


def test_a_generator_that_is_late_says_so():
    late = Record("batches", 1, 64, 1.0, 1.5, 1.6, [], 200, True)
    assert "the generator was the limit" in report(late).markdown()


def test_the_picture_is_drawn(tmp_path: Path):
    report(*SINGLES, BATCH).write(tmp_path / "out")
    assert (tmp_path / "out" / "report.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out" / "report.md").read_text().startswith("# Test\n")


def test_records_come_back_as_they_were(tmp_path: Path):
    log = Log(5.0, 1.0, 3, [*SINGLES, BATCH])
    write(tmp_path / "records", log)
    assert read(tmp_path / "records") == log
    assert log.ended_s == 9.0
