"""Find which field of a file holds what: by option, or by its name and content."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from co_rewarding_schema.methods import METHODS

from reward_service.tools.replay.errors import RolloutFileError, listed
from reward_service.tools.replay.sources import Row
from reward_service.tools.replay.values import (
    is_flag,
    is_index,
    is_list,
    is_number,
    is_present,
    is_text,
    is_truth,
    is_view,
)

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldNames:
    """The fields that a person named; None means that the field is to be found. A dot leads into an object.

    `plain_answers` says that the responses are answers without a box, to be put into one.
    """

    question: str | None = None
    response: str | None = None
    rollouts: str | None = None
    paraphrase_rollouts: str | None = None
    ground_truth: str | None = None
    view: str | None = None
    rollout: str | None = None
    step: str | None = None
    self_certainty: str | None = None
    entropy: str | None = None
    verified: str | None = None
    confidence: str | None = None
    plain_answers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Says how a file is read.

    A file has one of two forms:

    - rows: `rollouts` is None, and a row is a rollout;
    - lists: a row is a question, with its rollouts in the list `rollouts` and, if there is one, those of its paraphrase
      in `paraphrase_rollouts`. They are objects with the field `response` or, where that is None, strings.
    """

    question: str
    response: str | None
    rollouts: str | None = None
    paraphrase_rollouts: str | None = None
    ground_truth: str | None = None
    view: str | None = None
    rollout: str | None = None
    step: str | None = None
    self_certainty: str | None = None
    entropy: str | None = None
    verified: str | None = None
    confidence: str | None = None
    plain_answers: bool = False
    left_aside: tuple[str, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the file that are needed, each with what is left of a dot, since that may be a column too."""
        named = (
            self.question, self.response, self.rollouts, self.paraphrase_rollouts, self.ground_truth, self.view,
            self.rollout, self.step, self.self_certainty, self.entropy, self.verified, self.confidence,
        )  # fmt: skip
        return frozenset(chain.from_iterable((name, name.split(".")[0]) for name in named if name is not None))

    def described(self) -> str:
        """For a person: which field was taken for what."""
        parts = {
            "question": self.question,
            "rollouts": self.rollouts,
            "paraphrase's rollouts": self.paraphrase_rollouts,
            "plain answer" if self.plain_answers else "response": self.response or "the strings of the list",
            "ground truth": self.ground_truth,
            "view": self.view,
            "rollout": self.rollout,
            "step": self.step,
        }
        parts |= {row.name: getattr(self, row.statistic) for row in METHODS.values() if row.statistic is not None}
        parts |= {name: getattr(self, name) for name in EVIDENCE}
        found = ", ".join(f"{what} = {name}" for what, name in parts.items() if name is not None)
        return "; ".join([found, *self.left_aside])


@dataclass(frozen=True, slots=True)
class WantedFields:
    """A kind of field: what it is, the option that names it, the names it is known by, and what it may hold."""

    what: str
    option: str
    names: tuple[str, ...]
    suits: Callable[[object], bool]


_LISTS = ("rollouts", "responses", "completions")
QUESTION = WantedFields(
    "the question", "--question-field", ("question_id", "qid", "id", "prompt", "question"), is_present
)
RESPONSE = WantedFields(
    "the response", "--response-field", ("response", "completion", "output", "text", "answer"), is_text
)
PLAIN_ANSWER = WantedFields(
    "the answer", "--response-field", ("answer", "prediction", "pred", *RESPONSE.names), is_truth
)
ROLLOUTS = WantedFields("the list of rollouts", "--rollouts-field", _LISTS, is_list)
PARAPHRASES = WantedFields(
    "the list of the paraphrase's rollouts",
    "--paraphrase-rollouts-field",
    tuple(f"paraphrase_{name}" for name in _LISTS),
    is_list,
)
TRUTH = WantedFields("the ground truth", "--ground-truth-field", ("ground_truth", "gold", "answer", "label"), is_truth)
VIEW = WantedFields("the view", "--view-field", ("view",), is_view)
ROLLOUT = WantedFields("the rollout's index", "--rollout-field", ("rollout", "rollout_index"), is_index)
STEP = WantedFields("the step", "--step-field", ("step", "global_step"), is_index)
CERTAINTY = WantedFields(
    "the self-certainty", "--self-certainty-field", ("self_certainty", "statistics.self_certainty"), is_number
)
ENTROPY = WantedFields("the entropy", "--entropy-field", ("entropy", "statistics.entropy"), is_number)
VERIFIED = WantedFields("what was verified", "--verified-field", ("verified", "evidence.verified"), is_flag)
CONFIDENCE = WantedFields("the confidence", "--confidence-field", ("confidence", "evidence.confidence"), is_number)
EVIDENCE = ("verified", "confidence")


def look_up(record: Record, name: str) -> object:
    """What a record holds under a name, which may lead into objects with dots.

    Raises:
        KeyError: it holds nothing there.
    """
    if name in record:
        return record[name]
    here, dot, rest = name.partition(".")
    inner = record.get(here) if dot else None
    if not isinstance(inner, Mapping):
        raise KeyError(name)
    return look_up(inner, rest)


def layout_of(sample: Sequence[Row], named: FieldNames, where: str) -> Layout:
    """The layout of a file, by its first rows and by what was named. `where` is the file, for messages.

    A field that is found holds in every row of the sample what such a field may hold; no field is found twice.

    Raises:
        RolloutFileError: a named field is not there, or a needed one cannot be found.
    """
    rollouts = _field(ROLLOUTS, named.rollouts, sample, where)
    paraphrases = _field(PARAPHRASES, named.paraphrase_rollouts, sample, where)
    if rollouts is None and named.paraphrase_rollouts is not None:
        raise RolloutFileError(
            f"{where}: --paraphrase-rollouts-field goes with a list of the original's rollouts, and none was found; "
            f"the rows have {listed(_names(sample))}; name it with --rollouts-field"
        )
    records = sample if rollouts is None else _objects(sample, rollouts, paraphrases)
    given = {named.response, named.ground_truth} if rollouts is None else {named.ground_truth}
    question = _needed(QUESTION, named.question, sample, where, given)
    taken = (question, named.ground_truth) if rollouts is None else ()  # inside a list the same name is another field
    response = _response(records, named, where, taken)
    taken = (question, response) if rollouts is None else (question,)
    return Layout(
        question=question,
        response=response,
        rollouts=rollouts,
        paraphrase_rollouts=None if rollouts is None else paraphrases,
        ground_truth=_field(TRUTH, named.ground_truth, sample, where, taken),
        view=_field(VIEW, named.view, [*records, *sample], where),
        rollout=_field(ROLLOUT, named.rollout, records, where),
        step=_field(STEP, named.step, sample, where),
        self_certainty=_field(CERTAINTY, named.self_certainty, records, where),
        entropy=_field(ENTROPY, named.entropy, records, where),
        verified=_field(VERIFIED, named.verified, records, where),
        confidence=_field(CONFIDENCE, named.confidence, records, where),
        plain_answers=named.plain_answers,
        left_aside=_left_aside(named, sample, records),
    )


def _left_aside(named: FieldNames, sample: Sequence[Row], records: Sequence[Record]) -> tuple[str, ...]:
    """Tell of fields that have the name of a view, an index or a step, and hold what is none."""
    looked_for = (VIEW, named.view, [*records, *sample]), (ROLLOUT, named.rollout, records), (STEP, named.step, sample)
    return tuple(
        f"{name} is not read as {wanted.what}: it holds {unfit[0]!r}"
        for wanted, own, rows in looked_for
        for name in wanted.names
        if own is None and (unfit := [value for value in _values(rows, name) if not wanted.suits(value)])
    )


def _response(records: Sequence[Record], named: FieldNames, where: str, taken: Collection[str | None]) -> str | None:
    """The field of the response; None where the rollouts are strings, which have no fields."""
    if records:
        return _needed(PLAIN_ANSWER if named.plain_answers else RESPONSE, named.response, records, where, taken)
    if named.response is not None:
        raise RolloutFileError(
            f"{where}: no field {named.response!r} for the response (--response-field): the rollouts in the lists are "
            "no objects; leave the option out if they are the responses themselves"
        )
    return None


def _objects(sample: Sequence[Row], *lists: str | None) -> list[Record]:
    """The rollouts of the sample that are objects."""
    named = [name for name in lists if name is not None]
    values = chain.from_iterable(_values(sample, name) for name in named)
    elements = chain.from_iterable(value for value in values if isinstance(value, list))
    return [element for element in elements if isinstance(element, Mapping)]


def _field(
    wanted: WantedFields, named: str | None, records: Sequence[Record], where: str, taken: Collection[str | None] = ()
) -> str | None:
    """The field's name, None if it was not named and is not found."""
    if named is not None:
        if not any(_has(record, named) for record in records):
            raise RolloutFileError(
                f"{where}: no field {named!r} for {wanted.what} ({wanted.option}); there are {listed(_names(records))}"
            )
        return named
    return next(
        (
            name
            for name in wanted.names
            if name not in taken and (values := _values(records, name)) and all(map(wanted.suits, values))
        ),
        None,
    )


def _needed(
    wanted: WantedFields, named: str | None, records: Sequence[Record], where: str, taken: Collection[str | None] = ()
) -> str:
    found = _field(wanted, named, records, where, taken)
    if found is None:
        raise RolloutFileError(
            f"{where}: no field is known to hold {wanted.what} (tried {', '.join(wanted.names)}); there are "
            f"{listed(_names(records))}; name it with {wanted.option}"
        )
    return found


def _values(records: Sequence[Record], name: str) -> list[object]:
    """What the records hold under a name, nulls left out."""
    values = [look_up(record, name) for record in records if _has(record, name)]
    return [value for value in values if value is not None]


def _has(record: Record, name: str) -> bool:
    try:
        look_up(record, name)
    except KeyError:
        return False
    return True


def _names(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(chain.from_iterable(records)))
