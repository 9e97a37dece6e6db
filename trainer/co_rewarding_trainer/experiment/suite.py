"""Define a suite: what an experiment trains, as a TOML file says it, and the cells that come of it."""

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from co_rewarding_client import RunSettings
from co_rewarding_schema.errors import CoRewardingError
from co_rewarding_schema.methods import METHODS
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from co_rewarding_trainer.loop import LoopConfig
from co_rewarding_trainer.task import WarmStart
from co_rewarding_trainer.task_table import DEFAULT_TASK, TASKS
from co_rewarding_trainer.warm_start import WarmStartConfig

PACKAGE = Path(__file__).parents[1]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
_UNSAFE = re.compile(r"[^a-z0-9.]+")


class SuiteError(CoRewardingError):
    """A suite cannot be read, or asks for what cannot be trained; the message says where and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Part):
    """A row of the table: a method, the settings of its runs that are not the defaults, and pairs of its own.

    `wrong_paraphrases` and `near_copies` take the place of the suite's.
    """

    method: str
    settings: dict[str, Any] = Field(default_factory=dict)
    wrong_paraphrases: Annotated[float, Field(ge=0, le=1)] | None = None
    near_copies: bool | None = None

    @model_validator(mode="after")
    def _is_a_run(self) -> "Row":
        if self.method not in METHODS:
            raise ValueError(f"{self.method!r} is not a method; choose one of {', '.join(METHODS)}")
        peers = ("a", "b") if METHODS[self.method].needs_peers else ()
        try:
            RunSettings(method=self.method, peers=peers, **self.settings)
        except (TypeError, CoRewardingError, ValueError) as cause:
            raise ValueError(f"settings: {cause}") from cause
        return self


class Start(_Part):
    """A policy that trainings begin with: a checkpoint's folder, or how a warm start is taught.

    Without a folder the other fields are those of `warm_start.WarmStartConfig`; `base` may be relative to the file.
    """

    folder: Path | None = None
    base: str | None = WarmStartConfig.base
    kind: WarmStart = WarmStartConfig.kind
    steps: Annotated[int, Field(ge=1)] | None = WarmStartConfig.steps
    slip_rate: Annotated[float, Field(ge=0, le=1)] = WarmStartConfig.slip_rate
    habit_rate: Annotated[float, Field(ge=0, le=1)] = WarmStartConfig.habit_rate
    seed: Annotated[int, Field(ge=0)] = WarmStartConfig.seed


class Suite(_Part):
    """What an experiment trains: each row at each learning rate, from each start, with each seed.

    Attributes:
        methods: rows that are methods with default settings, by their names.
        rows: rows by a name of their own.
        task: the name of the task.
        starts: starts by name; without any, the one that the demo begins with.
        seeds: of the questions and of what is sampled.
        tuning_seeds: seeds on which settings are chosen: trained like the others, and no part of the table.
        baseline: the row that others are compared with, training by training.
        near_copies, test_time, unlabelled: as in `LoopConfig`.
        samples: responses to each held-out problem at the end of a training, for pass@k; 0: none.
        passes: the k of pass@k; each at most `samples`.
    """

    methods: list[str] = Field(default_factory=list)
    rows: dict[str, Row] = Field(default_factory=dict)
    starts: dict[str, Start] = Field(default_factory=dict)
    task: str = DEFAULT_TASK
    learning_rates: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1)]
    tuning_seeds: list[Seed] = Field(default_factory=list)
    baseline: str | None = None
    steps: Annotated[int, Field(ge=1)] = LoopConfig.steps
    pairs_per_step: Annotated[int, Field(ge=1)] = LoopConfig.pairs_per_step
    group_size: Annotated[int, Field(ge=1)] = LoopConfig.group_size
    evaluate_every: Annotated[int, Field(ge=1)] = LoopConfig.evaluate_every
    evaluation_problems: Annotated[int, Field(ge=1)] = LoopConfig.evaluation_problems
    distinct_pairs: Annotated[int, Field(ge=1)] | None = None
    wrong_paraphrases: Annotated[float, Field(ge=0, le=1)] = 0.0
    near_copies: bool = False
    test_time: bool = False
    unlabelled: bool = False
    samples: Annotated[int, Field(ge=0, le=1024)] = 64
    passes: list[Annotated[int, Field(ge=1)]] = Field(default_factory=lambda: [1, 8, 64])

    @field_validator("task")
    @classmethod
    def _is_a_task(cls, name: str) -> str:
        if name not in TASKS:
            raise ValueError(f"{name!r} is not a task; choose one of {', '.join(TASKS)}")
        return name

    @field_validator("learning_rates", "seeds", "tuning_seeds", "methods", "passes")
    @classmethod
    def _each_once(cls, values: list[Any]) -> list[Any]:
        if len(set(values)) < len(values):
            raise ValueError("a value stands there twice: name each once")
        return values

    @model_validator(mode="after")
    def _can_be_trained(self) -> "Suite":
        rows = self.all_rows()
        if not rows:
            raise ValueError("nothing is trained: name methods, or rows")
        if both := set(self.methods) & set(self.rows):
            raise ValueError(f"a row and a method have one name: {', '.join(sorted(both))}")
        slugs = [slug(name) for name in rows], [slug(name) for name in self.starts]
        for names in slugs:
            if len(set(names)) < len(names):
                raise ValueError("two names differ in signs and capitals alone: choose others")
        if self.samples and any(k > self.samples for k in self.passes):
            raise ValueError("passes: pass@k needs at least k samples of each problem")
        if both := set(self.seeds) & set(self.tuning_seeds):
            raise ValueError(f"a seed is to choose settings or to report them: {', '.join(map(str, sorted(both)))}")
        if self.baseline is not None and self.baseline not in rows:
            raise ValueError(f"baseline: {self.baseline!r} is not a row")
        for name, row in rows.items():
            loop = self.loop(Cell(name, self.learning_rates[0], "", 0))
            if not loop.sends_truth and METHODS[row.method].needs_ground_truth:
                raise ValueError(f"{name} needs the ground truth, which test_time and unlabelled keep from the service")
        return self

    def all_rows(self) -> dict[str, Row]:
        """Return the rows by name: the methods first."""
        return {name: Row(method=name) for name in self.methods} | self.rows

    def all_starts(self) -> dict[str, Start]:
        """Return the starts by name."""
        return self.starts or {WarmStartConfig.kind.value: Start()}

    def cells(self) -> Iterator["Cell"]:
        """Yield the cells: start by start, and of a start the first seed of all rows before the next seed."""
        seeds = [*self.seeds, *self.tuning_seeds]
        grid = itertools.product(self.all_starts(), seeds, self.learning_rates, self.all_rows())
        for start, seed, rate, row in grid:
            yield Cell(row, rate, start, seed)

    def loop(self, cell: "Cell") -> LoopConfig:
        """Return how a cell is trained.

        Raises:
            ValueError: the epochs are not a whole number of steps, or the questions are of two kinds.
        """
        row = self.all_rows()[cell.row]
        return LoopConfig(
            task=self.task,
            steps=self.steps,
            pairs_per_step=self.pairs_per_step,
            group_size=self.group_size,
            learning_rate=cell.learning_rate,
            evaluate_every=self.evaluate_every,
            evaluation_problems=self.evaluation_problems,
            distinct_pairs=self.distinct_pairs,
            wrong_paraphrases=self.wrong_paraphrases if row.wrong_paraphrases is None else row.wrong_paraphrases,
            near_copies=self.near_copies if row.near_copies is None else row.near_copies,
            test_time=self.test_time,
            unlabelled=self.unlabelled,
            seed=cell.seed,
        )


@dataclass(frozen=True)
class Cell:
    """One training of a suite."""

    row: str
    learning_rate: float
    start: str
    seed: int

    @property
    def name(self) -> str:
        """Return the cell as a file's name."""
        return f"{slug(self.row)}_{self.learning_rate:g}_{slug(self.start)}_s{self.seed}"


def slug(name: str) -> str:
    """Return a name of small letters, digits, points and hyphens."""
    return _UNSAFE.sub("-", name.lower()).strip("-")


def read_suite(named: str) -> Suite:
    """Return a suite by the path of its file, or by the name of a shipped one. Folders are relative to the file.

    Raises:
        SuiteError: there is none, or it cannot be read; the message lists every fault.
    """
    path, shipped = Path(named), _shipped_suites()
    if not path.suffix and not path.exists():
        path = shipped / f"{named}.toml"
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except OSError as cause:
        names = ", ".join(sorted(each.stem for each in shipped.glob("*.toml")))
        raise SuiteError(f"{path}: {cause.strerror or cause}; shipped are {names}") from cause
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as cause:
        raise SuiteError(f"{path}: {cause}") from cause
    suite = _validated(told, str(path))
    return suite.model_copy(update={"starts": _placed(suite.starts, path.parent)})


def at_test_time(suite: Suite) -> Suite:
    """Return the suite with trainings that ask the held-out problems themselves, and send no ground truth.

    Raises:
        SuiteError: a row needs the ground truth, or the problems are not a whole number of steps.
    """
    return _validated(suite.model_dump() | {"test_time": True}, "--test-time")


def _validated(told: Mapping[str, Any], where: str) -> Suite:
    try:
        return Suite.model_validate(told)
    except ValidationError as cause:
        faults = [f"{'.'.join(map(str, each['loc'])) or 'suite'}: {_said(each)}" for each in cause.errors()]
        raise SuiteError(f"{where}: {'; '.join(faults)}") from cause


def _shipped_suites() -> Path:
    installed = PACKAGE / "suites"
    return installed if installed.is_dir() else PACKAGE.parent / "suites"  # in a checkout beside the package


def _said(error: Mapping[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ")


def _placed(starts: Mapping[str, Start], beside: Path) -> dict[str, Start]:
    placed: dict[str, Start] = {}
    for name, start in starts.items():
        at: dict[str, object] = {}
        if start.folder is not None:
            at["folder"] = (beside / start.folder).resolve()
        if start.base is not None and (beside / start.base).is_dir():  # else a name at the hub
            at["base"] = str((beside / start.base).resolve())
        placed[name] = start.model_copy(update=at)
    return placed


def suite_document(suite: Suite) -> bytes:
    """Return the suite as JSON, the same for the same suite."""
    return msgspec.json.format(msgspec.json.encode(suite.model_dump(mode="json"), order="sorted"))
