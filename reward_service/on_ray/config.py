"""Read the configuration of `co-rewarding ray up`: a TOML file."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reward_service.errors import SettingsError
from reward_service.generation.generator import OPENAI
from reward_service.on_ray.scaling import ScalingRule
from reward_service.settings import Settings, settings_given

DEFAULT_NAME = "co-rewarding"

SET_ELSEWHERE = {
    "host": "the address of each node is taken",
    "port": "[api] port",
    "redis_url": "[store] redis_url",
    "redis_password_file": "[store] redis_password_file",
    "data_dir": "[store] data_dir",
    "workers": "[workers] least",
    "api_processes": "[api] processes",
    "metrics_port": "there is none here: /metrics of the API has what waits",
    **{name: f"[teacher] {name.partition('_')[2] or 'model'}" for name in ("teacher", "teacher_engine")},
    **{name: f"[paraphraser] {name.partition('_')[2] or 'model'}" for name in ("paraphraser", "paraphraser_engine")},
}
"""Settings of the service that [service] does not take, and what says the same here."""

Share = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0.0, le=86_400.0)]


class Table(BaseModel):
    """A table of the file: takes no unknown key."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class StoreTable(Table):
    """The store: yours, or one Valkey that is run on a node."""

    redis_url: str | None = None
    """redis:// or rediss:// of a store of yours."""
    redis_password_file: Path | None = None
    """A file with its password."""
    data_dir: Path | None = None
    """Else the folder of an append-only file, on the node."""
    node: str | None = None
    """The node's address, name or id; the cluster's head by default."""
    port: int = Field(default=6390, ge=1, le=65_535)

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.redis_url is None) == (self.data_dir is None):
            raise ValueError("give either redis_url, or data_dir for a Valkey on a node")
        if self.data_dir is not None and not self.data_dir.is_absolute():
            raise ValueError("data_dir is a folder of a node: give its whole path, from / on")
        return self


class ApiTable(Table):
    """API replicas, at most one a node."""

    nodes: int | None = Field(default=None, ge=1)
    """On how many nodes; by default on all that have the CPUs."""
    port: int = Field(default=8000, ge=0, le=65_535)
    """The same on each node; 0 takes a free one."""
    processes: int = Field(default=1, ge=1, le=256)
    """Of each replica."""
    cpus: Share = 1.0
    """Of each replica, as Ray counts them."""


class ScaledTable(Table):
    """What is scaled between bounds."""

    least: int = Field(default=1, ge=0, le=1024)
    most: int = Field(default=1, ge=0, le=1024)
    grow_after_s: Seconds = 5.0
    shrink_after_s: Seconds = 60.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"least, {self.least}, is more than most, {self.most}")
        return self


class WorkersTable(ScaledTable):
    """Workers, scaled on the age of the job that waits longest."""

    most: int = Field(default=4, ge=0, le=1024)
    grow_at_s: Share = 1.0
    shrink_at_s: Share = 0.25
    cpus: Share = 1.0

    @property
    def rule(self) -> ScalingRule:
        """The rule of scaling."""
        return ScalingRule(
            self.least, self.most, self.grow_at_s, self.shrink_at_s, self.grow_after_s, self.shrink_after_s
        )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.shrink_at_s >= self.grow_at_s:
            raise ValueError("shrink_at_s is to be below grow_at_s")
        return self


class ModelTable(ScaledTable):
    """Processes with a model."""

    model: str
    """A folder or hub name; openai:URL#MODEL or vllm-server:URL#MODEL."""
    tensor_parallel: int = Field(default=1, ge=1, le=64)
    """GPUs of one node over which vLLM lays the model; they are reserved together."""
    gpus: Share | None = None
    """Of each process, where it is not as many as tensor_parallel; 0 for a model on the CPU or at a URL."""
    cpus: Share = 1.0
    engine: dict[str, Any] = Field(default_factory=dict)
    """Arguments of vLLM's engine, or fields of every request to a URL."""

    @property
    def engine_given(self) -> dict[str, Any]:
        """The arguments of the engine, with those that other keys come to."""
        more = {"tensor_parallel_size": self.tensor_parallel} if self.tensor_parallel > 1 else {}
        return more | self.engine

    @property
    def reserved(self) -> dict[str, float]:
        """What Ray reserves for each process, on one node."""
        gpus = self.tensor_parallel if self.gpus is None else self.gpus
        return {name: float(count) for name, count in (("CPU", self.cpus), ("GPU", gpus)) if count}


class TeachersTable(ModelTable):
    """Teachers, scaled on the labels that wait for each."""

    grow_at: Share = 64.0
    shrink_at: Share = 8.0

    @property
    def rule(self) -> ScalingRule:
        """The rule of scaling."""
        seconds = (self.grow_after_s, self.shrink_after_s)
        return ScalingRule(self.least, self.most, self.grow_at, self.shrink_at, *seconds, shared=True)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.shrink_at >= self.grow_at:
            raise ValueError("shrink_at is to be below grow_at")
        return self


class ParaphrasersTable(ModelTable):
    """Paraphrasers, of whom there are always `least`."""


class RayConfig(Table):
    """The whole file."""

    name: str = Field(default=DEFAULT_NAME, pattern="^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)
    """By which trainers find the service: ray://NAME."""
    store: StoreTable
    api: ApiTable = ApiTable()
    workers: WorkersTable = WorkersTable()
    teacher: TeachersTable | None = None
    paraphraser: ParaphrasersTable | None = None
    service: dict[str, Any] = Field(default_factory=dict)
    """Settings of the service by name, for all its processes."""
    runtime_env: dict[str, Any] = Field(default_factory=dict)
    """The environment of the processes, as Ray's runtime_env; by default that of the cluster."""

    @model_validator(mode="after")
    def _in_one_place(self) -> Self:
        for name in self.service:
            if name in SET_ELSEWHERE:
                raise ValueError(f"[service] {name} is not set there: {SET_ELSEWHERE[name]}")
            if name not in Settings.model_fields:
                raise ValueError(f"[service] {name} is no setting of the service: docs/operations.md has those")
        follows = self.teacher is not None and not self.teacher.model.startswith(OPENAI)
        if follows and not {"weights_root", "teacher_dir"} <= self.service.keys():
            raise ValueError(
                "a teacher that follows a policy needs [service] weights_root and teacher_dir, on a disk that the "
                "nodes share"
            )
        return self

    def settings(self) -> Settings:
        """Return the settings of all processes; the environment has those that the file does not name.

        Raises:
            SettingsError: one of them cannot be.
        """
        teacher, paraphraser = self.teacher, self.paraphraser
        return settings_given(
            **self.service,
            host="127.0.0.1",
            port=self.api.port,
            redis_url=self.store.redis_url,
            redis_password_file=self.store.redis_password_file,
            data_dir=self.store.data_dir or Path("/nonexistent"),
            api_processes=self.api.processes,
            metrics_port=None,
            teacher=None if teacher is None else teacher.model,
            teacher_engine={} if teacher is None else teacher.engine_given,
            paraphraser=None if paraphraser is None else paraphraser.model,
            paraphraser_engine={} if paraphraser is None else paraphraser.engine_given,
        )


def read_config(path: Path) -> RayConfig:
    """Read a configuration.

    Raises:
        SettingsError: the file cannot be read, or says what cannot be; the message says where.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise SettingsError(f"{path} cannot be read: {cause.strerror}") from cause
    except ValueError as cause:  # no TOML, or no text
        raise SettingsError(f"{path} is not TOML: {cause}") from cause
    try:
        return RayConfig.model_validate(document)
    except ValidationError as cause:
        first = cause.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingsError(f"{path}{': ' + where if where else ''}: {first['msg']}") from cause
