"""Log figures to TensorBoard, trackio, wandb or MLflow; each package is imported when it is chosen.

A tracker is asked for the last step that it has, so that a process that is started again goes on where the one before
stopped. wandb cannot tell while it is offline, so a file beside its own says so.
"""

import contextlib
import importlib
import os
import struct
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from co_rewarding_client.errors import invalid
from co_rewarding_client.foreign import Foreign
from co_rewarding_client.tracking import NO_STEP, PREFIX, Figures, Tracker

RUN_TAG = "co_rewarding.run"
ALWAYS = f"{PREFIX}groups"
"""A figure that each step has."""

SUFFIX = ".co-rewarding"
"""Behind the names of our event files: a trainer may log beside them."""


class _TensorBoard:
    """Event files in a folder for the run. The figures of a step are one record: a file holds all of them or none."""

    def __init__(self, folder: str, run: str) -> None:
        self._folder = Path(folder) / run
        self._events: Foreign = importlib.import_module("tensorboardX.proto.event_pb2")
        self._summaries: Foreign = importlib.import_module("tensorboardX.proto.summary_pb2")
        writing: Foreign = importlib.import_module("tensorboardX.event_file_writer")
        self._crc: Callable[[bytes], int] = importlib.import_module("tensorboardX.record_writer").masked_crc32c
        self._folder.mkdir(parents=True, exist_ok=True)
        self._last_step = max(map(self._last_step_in, self._folder.glob(f"*{SUFFIX}")), default=NO_STEP)
        self._writer: Foreign = writing.EventsWriter(
            str(self._folder / "events"), f".{os.getpid()}.{time.time_ns()}{SUFFIX}"
        )

    def last_step(self) -> int:
        return self._last_step

    def log(self, step: int, figures: Figures) -> None:
        values = [self._summaries.Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        summary = self._summaries.Summary(value=values)
        self._writer.write_event(self._events.Event(step=step, wall_time=time.time(), summary=summary))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _last_step_in(self, file: Path) -> int:
        events = map(self._events.Event.FromString, _records(file, self._crc))
        return max((event.step for event in events if event.HasField("summary")), default=NO_STEP)


def _records(file: Path, crc_of: Callable[[bytes], int]) -> Iterator[bytes]:
    """Yield the whole records of a file in TFRecord: length (8 bytes), its CRC (4), data, its CRC (4).

    What follows a record that is not whole is left out: its process was killed while it wrote, or its machine died.
    """
    with file.open("rb") as stream:
        while len(head := stream.read(12)) == 12:
            length, crc = struct.unpack("<QI", head)
            if crc != crc_of(head[:8]):
                return
            data, tail = stream.read(length), stream.read(4)
            if len(tail) < 4 or struct.unpack("<I", tail)[0] != crc_of(data):
                return
            yield data


class _Trackio:
    """A run of a trackio project, local or in a Space, as trackio's own variables say."""

    def __init__(self, project: str, run: str) -> None:
        trackio: Foreign = importlib.import_module("trackio")
        self._run: Foreign = trackio.init(
            project=project, name=run, resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False
        )

    def last_step(self) -> int:
        return self._run._next_step - 1  # what trackio has read of a run that goes on

    def log(self, step: int, figures: Figures) -> None:
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        self._run.finish()


class _Wandb:
    """A run of a wandb project; WANDB_MODE=offline keeps it on this machine until `wandb sync`."""

    def __init__(self, project: str, run: str) -> None:
        wandb: Foreign = importlib.import_module("wandb")
        folder = Path(os.environ.get("WANDB_DIR") or ".") / "wandb"
        self._noted = folder / "co-rewarding" / quote(project, safe="") / f"{run}.json"
        self._noted.parent.mkdir(parents=True, exist_ok=True)
        self._run: Foreign = wandb.init(project=project, id=run, name=run, resume="allow")

    def last_step(self) -> int:
        noted = NO_STEP
        with contextlib.suppress(FileNotFoundError, ValueError):  # nothing was noted, or a machine died as it was
            noted = int(self._noted.read_text())
        return max(noted, self._run.step - 1 if self._run.resumed else NO_STEP)

    def log(self, step: int, figures: Figures) -> None:
        """Note the step before it is logged: a process that is killed between the two logs it never, and not twice."""
        beside = self._noted.with_suffix(f".{os.getpid()}.part")
        beside.write_text(str(step))
        beside.replace(self._noted)
        self._run.log(dict(figures), step=step, commit=True)

    def close(self) -> None:
        self._run.finish()


class _MLflow:
    """A run of an MLflow experiment, where MLFLOW_TRACKING_URI says; known again by its tag."""

    def __init__(self, experiment: str, run: str) -> None:
        mlflow: Foreign = importlib.import_module("mlflow")
        self._entities: Foreign = importlib.import_module("mlflow.entities")
        self._client: Foreign = mlflow.MlflowClient()
        known = self._client.get_experiment_by_name(experiment)
        place = self._client.create_experiment(experiment) if known is None else known.experiment_id
        found = self._client.search_runs([place], f"tags.`{RUN_TAG}` = '{run}'", max_results=1)
        made = found[0] if found else self._client.create_run(place, tags={RUN_TAG: run}, run_name=run)
        self._run_id: str = made.info.run_id
        self._client.update_run(self._run_id, status="RUNNING")

    def last_step(self) -> int:
        logged = self._client.get_metric_history(self._run_id, ALWAYS)
        return max((metric.step for metric in logged), default=NO_STEP)

    def log(self, step: int, figures: Figures) -> None:
        now_ms = round(time.time() * 1000)
        metrics = [self._entities.Metric(name, value, now_ms, step) for name, value in figures.items()]
        self._client.log_batch(self._run_id, metrics=metrics)

    def close(self) -> None:
        self._client.set_terminated(self._run_id)


KINDS: Mapping[str, Callable[[str, str], _TensorBoard | _Trackio | _Wandb | _MLflow]] = MappingProxyType(
    {"tensorboard": _TensorBoard, "trackio": _Trackio, "wandb": _Wandb, "mlflow": _MLflow}
)
"""The trackers by the words that choose them."""


@contextlib.contextmanager
def open_tracker(kind: str, place: str, run: str) -> Generator[Tracker, None, None]:
    """Open a tracker of a kind for a run: `place` is a folder, a project or an experiment.

    Raises:
        InvalidRequest: there is no such kind.
        ModuleNotFoundError: its package is not installed.
    """
    if kind not in KINDS:
        raise invalid(f"kind is {kind!r}; give one of {', '.join(KINDS)}")
    tracker = KINDS[kind](place, run)
    try:
        yield tracker
    finally:
        tracker.close()
