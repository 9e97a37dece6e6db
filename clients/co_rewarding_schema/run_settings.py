"""Define the settings of a run: one training run's method, sizes and patience."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, SupportsFloat, get_type_hints

import msgspec
from msgspec import Meta

from co_rewarding_schema.errors import InvalidRunError
from co_rewarding_schema.limits import (
    MAX_DEADLINE_S,
    MAX_END_TOKEN_CHARS,
    MAX_END_TOKENS,
    MAX_ENTROPY,
    MAX_ID_CHARS,
    MAX_PEERS,
    MAX_TEMPERATURE,
    MAX_WEIGHT,
    MAX_WINDOW,
    GroupSize,
    Lag,
    Positive,
    ResponseTokens,
    Share,
    metas,
)
from co_rewarding_schema.methods import DEFAULT_METHOD, METHODS, evaluated_by, method_named
from co_rewarding_schema.reading_settings import check_choice, check_end_tokens, check_formats
from co_rewarding_schema.run_names import RUN_NAME_PATTERN, check_own_run
from co_rewarding_schema.vocabulary import (
    AnswerFormat,
    AnswerFormatText,
    Conventions,
    ConventionsText,
    PeerAbsent,
    PeerAbsentText,
    Quarantine,
    QuarantineText,
    Thinking,
    ThinkingText,
)

EndToken = Annotated[str, Meta(min_length=1, max_length=MAX_END_TOKEN_CHARS, pattern=r"\S")]


class RunSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a run. The defaults are those of the run named `default`, which exists without being made.

    Raises:
        UnknownMethodError, InvalidRunError: a setting is out of its bounds.
    """

    method: Annotated[
        str,
        Meta(
            description="How rollouts are rewarded: docs/methods.md.",
            examples=[DEFAULT_METHOD],
            extra_json_schema={"enum": list(METHODS)},
        ),
    ] = DEFAULT_METHOD
    group_size: Annotated[
        GroupSize, Meta(description="G, the policy's rollouts for each view of a question.", examples=[8])
    ] = 8
    evaluation_group_size: Annotated[
        GroupSize | None,
        Meta(
            description="Rollouts of each view that vote together in an evaluation without ground truth; null: "
            "group_size.",
            examples=[1],
        ),
    ] = None
    teacher_group_size: Annotated[
        GroupSize | None, Meta(description="The teacher's rollouts for each view; null: as many.", examples=[8])
    ] = None
    total_steps: Annotated[
        Positive, Meta(description="Steps of the training, over which alpha goes up.", examples=[1000])
    ] = 1000
    alpha_start: Annotated[
        Share, Meta(description="The share that the teacher keeps of itself at first.", examples=[0.99])
    ] = 0.99
    alpha_end: Annotated[
        Share, Meta(description="The share that the teacher keeps of itself at the end.", examples=[0.9999])
    ] = 0.9999
    cohort_deadline_s: Annotated[
        float,
        Meta(
            ge=0.001,
            le=MAX_DEADLINE_S,
            description="How long a cohort waits for its last ballot, or its teacher, from its first, in seconds.",
            examples=[840.0],
        ),
    ] = 840.0
    min_votes: Annotated[
        GroupSize, Meta(description="Ballots that a label needs; with fewer the group abstains.", examples=[2])
    ] = 1
    min_vote_share: Annotated[
        Share,
        Meta(
            description="The share of its electorate that a label needs; with less the group abstains.",
            examples=[0.25],
        ),
    ] = 0.0
    teacher_model: Annotated[
        Annotated[str, Meta(max_length=MAX_ID_CHARS)] | None,
        Meta(
            description="The model that the teacher begins with; null: any teacher's.",
            examples=["Qwen/Qwen3-8B-Base"],
        ),
    ] = None
    max_teacher_lag: Annotated[
        Lag,
        Meta(
            description="Steps that the teacher's version may lie behind the rollouts that the teacher labels.",
            examples=[1],
        ),
    ] = 0
    teacher_temperature: Annotated[
        float, Meta(ge=0, le=MAX_TEMPERATURE, description="Of the teacher's responses.", examples=[1.0])
    ] = 1.0
    teacher_top_p: Annotated[float, Meta(ge=0.001, le=1, description="Of the teacher's responses.", examples=[1.0])] = (
        1.0
    )
    teacher_max_tokens: Annotated[
        ResponseTokens, Meta(description="Of a response of the teacher's.", examples=[3072])
    ] = 3072
    answer_formats: Annotated[
        tuple[AnswerFormatText, ...],
        Meta(
            min_length=1,
            description="The notations that answers are read in; the first that finds one decides.",
            examples=[["boxed", "final-answer"]],
            extra_json_schema={"uniqueItems": True},
        ),
    ] = (AnswerFormat.BOXED,)
    end_tokens: Annotated[
        tuple[EndToken, ...],
        Meta(
            max_length=MAX_END_TOKENS,
            description="What ends a response besides the known end-of-turn tokens: docs/answers.md.",
            examples=[["[|endofturn|]"]],
        ),
    ] = ()
    thinking: Annotated[
        ThinkingText,
        Meta(
            description="Whether an answer is looked for in the policy's thinking: docs/answers.md.",
            examples=["if-finished"],
        ),
    ] = Thinking.READ
    conventions: Annotated[
        ConventionsText,
        Meta(description="How generously answers are compared: docs/answers.md.", examples=["lenient"]),
    ] = Conventions.LENIENT
    quarantine: Annotated[
        QuarantineText,
        Meta(
            description="What becomes of a pair whose views keep disagreeing: docs/paraphrasing.md.", examples=["off"]
        ),
    ] = Quarantine.OFF
    verified_weight: Annotated[
        float,
        Meta(ge=0, le=MAX_WEIGHT, description="What a ballot counts whose evidence is verified.", examples=[5.0]),
    ] = 5.0
    entropy_low: Annotated[
        float,
        Meta(
            ge=0,
            le=MAX_ENTROPY,
            description="A group whose answers have less entropy abstains, in nats, where the method has a band.",
            examples=[0.0],
        ),
    ] = 0.0
    entropy_high: Annotated[
        Annotated[float, Meta(ge=0, le=MAX_ENTROPY)] | None,
        Meta(description="A group whose answers have more entropy abstains; null: no limit.", examples=[1.5]),
    ] = None
    stability_lambda: Annotated[
        Share,
        Meta(description="The share of the reward that a question loses whose label always changes.", examples=[0.5]),
    ] = 0.5
    stability_window: Annotated[
        int,
        Meta(ge=1, le=MAX_WINDOW, description="K, the last labels of a question that are looked at.", examples=[8]),
    ] = 8
    history: Annotated[
        bool,
        Meta(
            description="Whether the last stability_window labels of each question are kept, for "
            "GET /v1/runs/{run}/questions; a method whose gate reads them keeps them in any case.",
            examples=[True],
        ),
    ] = False
    random_p: Annotated[
        Share, Meta(description="The probability of a reward of 1, where it is drawn.", examples=[0.5])
    ] = 0.5
    peers: Annotated[
        tuple[Annotated[str, Meta(extra_json_schema={"pattern": RUN_NAME_PATTERN})], ...],
        Meta(
            max_length=MAX_PEERS,
            description="The runs whose policies vote, where the method asks for them.",
            examples=[["qwen3-8b-math-b"]],
            extra_json_schema={"uniqueItems": True},
        ),
    ] = ()
    max_peer_lag: Annotated[
        Lag, Meta(description="Steps that a peer's ballots may lie behind the rollouts that they label.", examples=[1])
    ] = 0
    peer_absent: Annotated[
        PeerAbsentText,
        Meta(
            description="What becomes of a group for which no peer has voted by the deadline: docs/methods.md.",
            examples=["abstain"],
        ),
    ] = PeerAbsent.ABSTAIN

    def __post_init__(self) -> None:
        """Refuse settings that no run could have."""
        method_named(self.method)
        for name, (low, high) in _bounds().items():
            value = getattr(self, name)
            if value is not None and not (isinstance(value, SupportsFloat) and low <= float(value) <= high):
                raise InvalidRunError(f"{name} is {value!r}: it must lie between {low} and {high}")
        check_formats(self.answer_formats)
        check_end_tokens(self.end_tokens)
        check_choice("thinking", self.thinking, tuple(Thinking))
        check_choice("conventions", self.conventions, tuple(Conventions))
        _check_quarantine(self.quarantine, self.method)
        _check_peers(self.peers, self.method)
        _check_peer_absent(self.peer_absent, self.method)

    @property
    def frozen_teacher(self) -> bool:
        """Whether the teacher stays what it was at the start, whatever it is sent (the ablation with α = 1)."""
        return self.alpha_start == 1.0 and self.alpha_end == 1.0

    @property
    def teacher_ballots(self) -> int:
        """G̃, the teacher's responses to each view that it labels."""
        return self.teacher_group_size or self.group_size

    def for_evaluation(self) -> "RunSettings":
        """Return the settings of the run's evaluation: nothing there waits for another view, or for a teacher."""
        return msgspec.structs.replace(
            self,
            method=evaluated_by(truth=False).name,
            group_size=self.evaluation_group_size or self.group_size,
            evaluation_group_size=None,
            teacher_group_size=None,
            teacher_model=None,
            quarantine=Quarantine.OFF,
            history=False,
            peers=(),
            peer_absent=PeerAbsent.ABSTAIN,
        )


@lru_cache(maxsize=1)
def _bounds() -> dict[str, tuple[float, float]]:
    """Return the bounds of each number among the settings, from the annotations of the fields."""
    found: dict[str, tuple[float, float]] = {}
    for name, hint in get_type_hints(RunSettings, include_extras=True).items():
        for meta in metas(hint):
            if meta.ge is not None and meta.le is not None:
                found[name] = meta.ge, meta.le
    return found


def _check_peers(peers: Sequence[str], method: str) -> None:
    if isinstance(peers, str):
        raise InvalidRunError("peers is one text: give a list of the names of runs")
    if len(peers) > MAX_PEERS:
        raise InvalidRunError(f"peers names {len(peers)} runs: at most {MAX_PEERS}")
    for peer in peers:
        check_own_run(peer)
    if len(set(peers)) < len(peers):
        raise InvalidRunError("peers names a run twice: its policy has one vote for each rollout")
    if method_named(method).needs_peers and not peers:
        raise InvalidRunError(f"under {method} other runs elect the labels: name them in peers")


def _check_peer_absent(peer_absent: str, method: str) -> None:
    check_choice("peer_absent", peer_absent, tuple(PeerAbsent))
    row = method_named(method)
    if peer_absent == PeerAbsent.OWN_VIEW and row.needs_peers and row.unaided is None:
        raise InvalidRunError(f"peer_absent is {peer_absent!r}, and {method} has no vote without peers: let it abstain")


def _check_quarantine(quarantine: str, method: str) -> None:
    check_choice("quarantine", quarantine, tuple(Quarantine))
    if quarantine != Quarantine.OFF and method_named(method).apart is None:
        fitting = ", ".join(name for name, row in METHODS.items() if row.apart is not None)
        raise InvalidRunError(
            f"quarantine is {quarantine!r}, and under {method} the policy's views do not vote for each other: "
            f"leave it off, or choose {fitting}"
        )
