"""Log a run to a tracker, or tell what the tracker has: trackers_program.py KIND PLACE RUN [SERVICE]; lines of JSON.

A line is a step and its figures, in the order in which they were logged.
"""

import json
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from co_rewarding_client import RewardClient
from co_rewarding_client.trackers import open_tracker
from co_rewarding_client.tracking import PREFIX, Pace, follow

Logged = tuple[int, dict[str, float]]

BLOCK = 32 * 1024


def in_tensorboard(place: str, run: str) -> Iterator[Logged]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(f"{place}/{run}", size_guidance={"scalars": 0})
    events.Reload()
    for tag in events.Tags()["scalars"]:
        for event in events.Scalars(tag):
            yield event.step, {tag: event.value}


def in_trackio(place: str, run: str) -> Iterator[Logged]:
    from trackio.sqlite_storage import SQLiteStorage

    for row in SQLiteStorage.get_logs(place, run):
        yield row["step"], {name: value for name, value in row.items() if name.startswith(PREFIX)}


def in_wandb(place: str, run: str) -> Iterator[Logged]:
    from wandb.proto.wandb_internal_pb2 import Record

    for file in sorted(Path(os.environ["WANDB_DIR"]).glob("wandb/offline-run-*/*.wandb"), key=os.path.getctime):
        for record in map(Record.FromString, leveldb_records(file.read_bytes())):
            if record.WhichOneof("record_type") == "run":
                assert (record.run.project, record.run.run_id, record.run.display_name) == (place, run, run)
            if record.WhichOneof("record_type") == "history":
                figures = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
                yield (
                    json.loads(figures["_step"]),
                    {name: json.loads(value) for name, value in figures.items() if name.startswith(PREFIX)},
                )


def leveldb_records(data: bytes) -> Iterator[bytes]:
    """The records of a file in LevelDB's log format, behind wandb's own head of 7 bytes.

    A block of 32 KiB holds parts of records: CRC (4 bytes), length (2), 1 whole, 2 first, 3 middle or 4 last (1), data.
    """
    at, record = 7, b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        length, part = struct.unpack("<HB", data[at + 4 : at + 7])
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if part in {1, 4}:
            yield record
            record = b""


def in_mlflow(place: str, run: str) -> Iterator[Logged]:
    import mlflow

    client = mlflow.MlflowClient()
    (found,) = client.search_runs([client.get_experiment_by_name(place).experiment_id])
    assert found.info.run_name == run
    for name in found.data.metrics:
        for metric in client.get_metric_history(found.info.run_id, name):
            yield metric.step, {name: metric.value}


READERS = {"tensorboard": in_tensorboard, "trackio": in_trackio, "wandb": in_wandb, "mlflow": in_mlflow}


def main() -> None:
    kind, place, run, *service = sys.argv[1:]
    if service:
        with RewardClient(service[0]) as client, open_tracker(kind, place, run) as tracker:
            follow(client, run, tracker, Pace(every_s=0.1, quiet_s=0.3, until_quiet=True))
        return
    for step, figures in READERS[kind](place, run):
        for name, value in figures.items():
            print(json.dumps({"step": step, "name": name, "value": value}), flush=True)


if __name__ == "__main__":
    main()
