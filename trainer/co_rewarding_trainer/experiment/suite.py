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
_UNSAFE = re.compile(r"[^a-z0-9.]+")


class SuiteError(CoRewardingError):
    """A suite cannot be read, or asks for what cannot be trained; the message says where and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Row(_Part):
    """A row of the table: a method, and the settings of its runs that are not the defaults."""

    method: str
    settings: dict[str, Any] = Field(default_factory=dict)

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

    Without a folder the other fields are those of `warm_start.WarmStartConfig`.
    """

    folder: Path | None = None
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
        samples: responses to each held-out problem at the end of a training, for pass@k; 0: none.
        passes: the k of pass@k; each at most `samples`.
    """

    methods: list[str] = Field(default_factory=list)
    rows: dict[str, Row] = Field(default_factory=dict)
    starts: dict[str, Start] = Field(default_factory=dict)
    task: str = DEFAULT_TASK
    learning_rates: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)]
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1)]
    steps: Annotated[int, Field(ge=1)] = LoopConfig.steps
    pairs_per_step: Annotated[int, Field(ge=1)] = LoopConfig.pairs_per_step
    group_size: Annotated[int, Field(ge=1)] = LoopConfig.group_size
    evaluate_every: Annotated[int, Field(ge=1)] = LoopConfig.evaluate_every
    evaluation_problems: Annotated[int, Field(ge=1)] = LoopConfig.evaluation_problems
    distinct_pairs: Annotated[int, Field(ge=1)] | None = None
    wrong_paraphrases: Annotated[float, Field(ge=0, le=1)] = 0.0
    samples: Annotated[int, Field(ge=0, le=1024)] = 64
    passes: list[Annotated[int, Field(ge=1)]] = Field(default_factory=lambda: [1, 8, 64])

    @field_validator("task")
    @classmethod
    def _is_a_task(cls, name: str) -> str:
        if name not in TASKS:
            raise ValueError(f"{name!r} is not a task; choose one of {', '.join(TASKS)}")
        return name

    @field_validator("learning_rates", "seeds", "methods", "passes")
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
        self.loop(Cell("", self.learning_rates[0], "", 0))
        return self

    def all_rows(self) -> dict[str, Row]:
        """Return the rows by name: the methods first."""
        return {name: Row(method=name) for name in self.methods} | self.rows

    def all_starts(self) -> dict[str, Start]:
        """Return the starts by name."""
        return self.starts or {WarmStartConfig.kind.value: Start()}

    def cells(self) -> Iterator["Cell"]:
        """Yield the cells: start by start, and of a start the first seed of all rows before the next seed."""
        grid = itertools.product(self.all_starts(), self.seeds, self.learning_rates, self.all_rows())
        for start, seed, rate, row in grid:
            yield Cell(row, rate, start, seed)

    def loop(self, cell: "Cell") -> LoopConfig:
        """Return how a cell is trained.

        Raises:
            ValueError: the epochs are not a whole number of steps.
        """
        return LoopConfig(
            task=self.task,
            steps=self.steps,
            pairs_per_step=self.pairs_per_step,
            group_size=self.group_size,
            learning_rate=cell.learning_rate,
            evaluate_every=self.evaluate_every,
            evaluation_problems=self.evaluation_problems,
            distinct_pairs=self.distinct_pairs,
            wrong_paraphrases=self.wrong_paraphrases,
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
    try:
        suite = Suite.model_validate(told)
    except ValidationError as cause:
        faults = [f"{'.'.join(map(str, each['loc'])) or 'suite'}: {_said(each)}" for each in cause.errors()]
        raise SuiteError(f"{path}: {'; '.join(faults)}") from cause
    return suite.model_copy(update={"starts": _placed(suite.starts, path.parent)})


def _shipped_suites() -> Path:
    installed = PACKAGE / "suites"
    return installed if installed.is_dir() else PACKAGE.parent / "suites"  # in a checkout beside the package


def _said(error: Mapping[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ")


def _placed(starts: Mapping[str, Start], beside: Path) -> dict[str, Start]:
    return {
        name: start if start.folder is None else start.model_copy(update={"folder": (beside / start.folder).resolve()})
        for name, start in starts.items()
    }


def suite_document(suite: Suite) -> bytes:
    """Return the suite as JSON, the same for the same suite."""
    return msgspec.json.format(msgspec.json.encode(suite.model_dump(mode="json"), order="sorted"))
