"""Define the settings of the service: options of the command line, or CO_REWARDING_* in the environment."""

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ByteSize, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSettingError

from reward_service.access_file import read_access
from reward_service.domain.access import AccessList, Grant, digest_of
from reward_service.errors import SettingsError
from reward_service.store.connecting import connection_to
from reward_service.store.connection import ONE, Durability, RedisConnection
from reward_service.store.paraphrases import ParaphraseLimits
from reward_service.store.redis_url import check_address, with_password
from reward_service.store.submissions import StoreLimits

PREFIX = "CO_REWARDING_"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

MAX_S = 10 * 365 * 86_400
"""The longest time of any setting, in seconds: what is longer is meant as for ever, and no clock adds to that."""

Seconds = Annotated[float, Field(le=MAX_S, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Everything an operator may set. Durations are in seconds, sizes in characters or bytes as named (or 64MiB)."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    host: str = Field(default="127.0.0.1", description="Address to bind; anything but loopback needs api_keys.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to bind; 0 takes a free one.")
    redis_url: str | None = Field(
        default=None,
        description="redis://, rediss://, unix://, redis+sentinel://HOST,HOST/NAME, or redis+cluster://HOST,HOST; none "
        "starts an embedded server.",
    )
    redis_password_file: Path | None = Field(
        default=None, description="A file with the password of redis_url, for one that must not be in the environment."
    )
    durability: str = Field(
        default="one",
        pattern="^(one|replicated)$",
        description="What has a thing before it is acknowledged: one Redis, or replicas of it too (replicated).",
    )
    replicas: int = Field(default=1, ge=1, le=16, description="How many replicas must have it, if replicated.")
    replica_wait_s: Seconds = Field(
        default=1.0, gt=0, description="How long they may take, up to half of redis_patience_s; then it is tried again."
    )
    data_dir: Path = Field(default=Path(".co-rewarding"), description="Where the embedded server keeps its data.")
    workers: int = Field(default=1, ge=0, le=256, description="Worker processes that `serve` starts.")
    api_processes: int = Field(default=1, ge=1, le=256, description="API processes that `serve` starts.")
    api_keys: list[SecretStr] = Field(default_factory=list, description="Keys that clients must show (a JSON list).")
    api_keys_file: Path | None = Field(
        default=None,
        description="A file of keys, instead of or beside api_keys: one a line, or TOML with scopes, runs and quotas.",
    )

    weights_root: Path | None = Field(
        default=None, description="Folder below which policies' weights come to the teacher; none: they are not taken."
    )
    max_weights_bytes: ByteSize = Field(default=ByteSize(200 * 2**30), ge=1, description="Largest upload of weights.")
    max_uploads_bytes: ByteSize = Field(
        default=ByteSize(400 * 2**30),
        ge=1,
        description="Most that all uploads together may take of the weights root's disk.",
    )
    upload_ttl_s: Seconds = Field(
        default=24 * 3600.0, ge=1, description="How long an upload may lie untouched before it is removed."
    )

    max_connections: int | None = Field(
        default=None,
        ge=1,
        description="Connections of an API process; by default as the limit of open files allows, at most 16,384.",
    )
    max_header_bytes: ByteSize = Field(
        default=ByteSize(64 * 2**10), ge=1024, description="Most bytes of a request's headers and URL."
    )
    max_headers: int = Field(default=100, ge=10, description="Most headers of a request.")
    max_url_bytes: ByteSize = Field(default=ByteSize(16 * 2**10), ge=256, description="Longest URL.")
    header_timeout_s: Seconds = Field(
        default=15.0, gt=0, description="Within which time a request's headers must come."
    )
    body_timeout_s: Seconds = Field(
        default=30.0, gt=0, description="After how long a body is given up that brings less than 1 KiB a second."
    )
    keep_alive_s: int = Field(
        default=75, ge=1, le=MAX_S, description="How long a connection is kept open between two requests."
    )
    max_body_bytes: ByteSize = Field(default=ByteSize(64 * 2**20), ge=1024, description="Largest request body.")
    max_rollouts: int = Field(default=4096, ge=1, description="Most rollouts in one request.")
    max_text_chars: int = Field(default=2_000_000, ge=1, description="Longest response or prompt.")
    max_wait_s: Seconds = Field(default=60.0, ge=0, description="Longest that /v1 calls wait before they answer 202.")
    get_reward_hold_s: Seconds = Field(
        default=0.0, ge=0, description="Longest that /get_reward is held (503 then); 0: until the cohort is settled."
    )
    remote_rm_hold_s: Seconds = Field(
        default=10.0, ge=0, description="Longest that /v1/remote_rm is held (503 then); 0: until the cohort is settled."
    )
    max_queued_jobs: int = Field(default=10_000, ge=1, description="Jobs of one run that may wait to be settled.")
    max_open_cohorts: int = Field(default=200_000, ge=1, description="Cohorts of one run that may wait for ballots.")
    retention_s: Seconds = Field(default=24 * 3600.0, ge=1, description="How long what was settled is kept.")
    redis_patience_s: Seconds = Field(default=5.0, gt=0, description="How long a call waits for a Redis that is away.")
    claim_idle_s: Seconds = Field(default=5.0, gt=0, description="After how long another worker's job is taken over.")
    teacher: str | None = Field(
        default=None, description="A model that `serve` starts a teacher with: a folder, a hub name, or a URL."
    )
    teacher_backend: str = Field(
        default="auto",
        pattern="^(auto|transformers|vllm)$",
        description="auto, transformers or vllm; auto is vLLM where there is a GPU.",
    )
    teacher_name: str | None = Field(
        default=None, description="What runs name as their teacher_model; by default the model as it is given."
    )
    teacher_dir: Path | None = Field(
        default=None, description="Where averages are kept, for all teachers of a service; data_dir/teacher by default."
    )
    teacher_dtype: str = Field(
        default="bfloat16", pattern="^(bfloat16|float16|float32)$", description="Of the weights that teachers serve."
    )
    teacher_mapped: bool = Field(default=False, description="Averages in memory-mapped files instead of memory.")
    teacher_threads: int | None = Field(default=None, ge=1, description="Threads (update, CPU model); None: all cores.")
    teacher_keep_special_tokens: bool = Field(
        default=False,
        description="Answers may hold special tokens, as those of models do whose box one of them closes.",
    )
    teacher_capacity: int | None = Field(
        default=None, ge=1, description="Questions that a teacher answers at once; by default what suits the backend."
    )
    teacher_engine: dict[str, Any] = Field(
        default_factory=dict, description="Arguments of vLLM's engine, or fields of every request to a URL (JSON)."
    )
    teacher_api_key: SecretStr | None = Field(default=None, description="The key of a teacher that is a URL.")
    teacher_lease_s: Seconds = Field(
        default=10.0, gt=0, description="After how long a dead teacher's labels are taken."
    )
    paraphraser: str | None = Field(
        default=None, description="A model that `serve` starts a paraphraser with: a folder, a hub name, or a URL."
    )
    paraphraser_backend: str = Field(
        default="auto",
        pattern="^(auto|transformers|vllm)$",
        description="auto, transformers or vllm; auto is vLLM where there is a GPU.",
    )
    paraphraser_capacity: int | None = Field(
        default=None, ge=1, le=4096, description="Questions under way at once; by default what the backend suggests."
    )
    paraphraser_engine: dict[str, Any] = Field(
        default_factory=dict, description="Arguments of vLLM's engine, or fields of every request to a URL (JSON)."
    )
    paraphraser_api_key: SecretStr | None = Field(default=None, description="The key of a paraphraser that is a URL.")
    paraphraser_embeddings: str | None = Field(
        default=None, description="A model of sentence-transformers, for recipes with least_similarity."
    )
    paraphraser_lease_s: Seconds = Field(
        default=10.0, gt=0, description="After how long a dead paraphraser's questions are taken."
    )
    paraphrase_root: Path | None = Field(
        default=None, description="Folder below which jobs may name files of questions; none: they cannot."
    )
    max_paraphrase_questions: int = Field(default=200_000, ge=1, description="Most questions in a job.")
    max_paraphrase_bytes: ByteSize = Field(
        default=ByteSize(256 * 2**20),
        ge=1024,
        description="Largest file of a job; its questions may take as much in Redis.",
    )
    max_paraphrase_jobs: int = Field(default=100, ge=1, description="Jobs that may be unfinished.")
    paraphrase_retention_s: Seconds = Field(
        default=7 * 24 * 3600.0, ge=1, description="How long a job is kept that nobody uses."
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Where `worker`, `teacher` and `paraphraser` show their metrics; none: nowhere.",
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address of metrics_port, which asks for no key: keep it in a private network."
    )
    judge_children: int = Field(
        default=1, ge=0, le=64, description="Processes a worker may ask to compare answers symbolically; 0: none."
    )
    judge_cpu_s: Seconds = Field(
        default=0.4, gt=0, le=60, description="CPU time of one such comparison; then undecided."
    )
    shutdown_s: Seconds = Field(default=30.0, gt=0, description="How long a stopping process may finish what it holds.")
    log_json: bool | None = Field(
        default=None, description="Logs as JSON; by default only where no terminal is attached."
    )
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="The least level logged."
    )
    traces: str | None = Field(
        default=None,
        pattern="^(otlp|file:.+)$",
        description="Where traces go: otlp (as OTEL_EXPORTER_OTLP_* say) or file:PATH; none: nothing is traced.",
    )

    @model_validator(mode="after")
    def _with_a_store(self) -> Self:
        self.redis_url = (self.redis_url or "").strip() or None
        if self.redis_url is None:
            if self.durability == "replicated":
                raise SettingsError(
                    "durability=replicated needs a Redis that has replicas, and the embedded server has none: set "
                    "redis_url, or durability=one"
                )
            return self
        check_address(self.redis_url)
        if self.redis_password_file is not None:
            self.redis_url = with_password(self.redis_url, _read(self.redis_password_file, "password").strip())
        return self

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        access = self.access()  # read in any case: a file that is not there shall be told now
        if self.host not in LOOPBACK and not access.grants:
            raise SettingsError(
                f"refusing to listen on {self.host} without keys: set CO_REWARDING_API_KEYS_FILE (or "
                "CO_REWARDING_API_KEYS='[\"...\"]'), or bind to 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _with_folders(self) -> Self:
        for name in ("weights_root", "paraphrase_root", "teacher_dir"):
            folder: Path | None = getattr(self, name)
            if folder is not None and not next(each for each in (folder, *folder.parents) if each.exists()).is_dir():
                raise SettingsError(f"{name}: {folder} is no folder and cannot become one")
        return self

    def access(self) -> AccessList:
        """What the keys of the settings, and those of the file as it is now, may do; none: loopback is trusted.

        Raises:
            SettingsError: the file cannot be read, is wrong, or holds no key: whoever names one wants keys asked for.
        """
        in_file = AccessList() if self.api_keys_file is None else read_access(self.api_keys_file)
        keys = [key.get_secret_value() for key in self.api_keys]
        named = {digest_of(key.encode()): Grant(f"api-keys-{place}") for place, key in enumerate(keys, 1) if key}
        return AccessList(named | dict(in_file.grants), in_file.runs)

    def store_connection(self, *, promises: bool = True) -> RedisConnection:
        """An unopened connection to the store; without `promises`, for what nobody is told as done or as final."""
        assert self.redis_url is not None, "every process of a service is told where the store is"
        durability = self.store_durability if promises else ONE
        return connection_to(self.redis_url, patience_s=self.redis_patience_s, durability=durability)

    @property
    def store_durability(self) -> Durability:
        """What must be so before a call of the store is answered."""
        if self.durability == "one":
            return ONE
        return Durability(self.replicas, min(self.replica_wait_s, self.redis_patience_s / 2))

    @property
    def averages_dir(self) -> Path:
        """Where the averages are kept."""
        return self.teacher_dir or self.data_dir / "teacher"

    @property
    def limits(self) -> StoreLimits:
        """What the store may hold."""
        return StoreLimits(self.max_queued_jobs, self.max_open_cohorts, self.retention_s)

    @property
    def paraphrase_limits(self) -> ParaphraseLimits:
        """What the store may hold of paraphrase jobs."""
        return ParaphraseLimits(self.max_paraphrase_jobs, self.paraphrase_retention_s)


def settings_given(**options: Any) -> Settings:  # noqa: ANN401 - each of its own type
    """The settings of the environment; options go before them.

    Raises:
        SettingsError: one of them cannot be; the message names it.
    """
    try:
        return Settings(**options)
    except ValidationError as cause:
        first = cause.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        variable = f" (or {PREFIX}{where.partition('.')[0].upper()} in the environment)"
        raise SettingsError(f"{where}{variable}: {first['msg']}") from cause
    except UnreadableSettingError as cause:
        name = re.search(r'field "(\w+)"', str(cause))
        variable = f"{PREFIX}{name[1].upper()}" if name else str(cause)
        raise SettingsError(f"{variable} is not JSON: {cause.__cause__}") from cause


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError) as cause:  # not there, or no text
        raise SettingsError(f"the file of {what}, {path}, cannot be read: {cause}") from cause
