"""Define the words that cross the wire: views, voters, abstentions, and the choices of a run."""

from enum import StrEnum
from typing import TYPE_CHECKING


class View(StrEnum):
    """Which wording of a question a rollout answered: x or x′ (same problem, same answer)."""

    ORIGINAL = "original"
    PARAPHRASE = "paraphrase"


class Voter(StrEnum):
    """Whose answers elect a label: the trained policy, its slow average, the teacher, or the policies of peer runs."""

    POLICY = "policy"
    TEACHER = "teacher"
    PEER = "peer"


class Abstention(StrEnum):
    """Why a whole group was not rewarded. There is no silent zero, and never one for part of a group."""

    NO_LABEL = "no-label"
    EXPIRED = "expired"
    NO_GROUND_TRUTH = "no-ground-truth"
    NO_STATISTICS = "no-statistics"
    QUARANTINED = "quarantined"
    GATED = "gated"


class AnswerFormat(StrEnum):
    """A notation for answers. docs/answers.md shows what each one reads."""

    BOXED = "boxed"
    FBOX = "fbox"
    JSON = "json"
    FINAL_ANSWER = "final-answer"
    HASHES = "hashes"
    ANSWER_TAG = "answer-tag"
    ANSWER_LINE = "answer-line"


class Thinking(StrEnum):
    """Whether an answer is looked for in the policy's thinking (`<think>…</think>`, and what other models write)."""

    READ = "read"
    """Thinking is text like any other."""
    IF_FINISHED = "if-finished"
    """Thinking that is opened and not closed is not read."""
    NEVER = "never"
    """Only what stands behind thinking is read; a response that closes none has no answer."""


class Conventions(StrEnum):
    """How generously notation is read, where mathematics alone does not decide. docs/answers.md has the whole table.

    LENIENT reads what a reader would let pass: a unit, a degree or dollar sign left out, a list in another order.
    STRICT takes an answer as it is written.
    """

    LENIENT = "lenient"
    STRICT = "strict"


class Quarantine(StrEnum):
    """What becomes of a pair that is taken for a bad one. OFF: pairs are not watched."""

    OFF = "off"
    OWN_VIEW = "own-view"
    """Each view is labelled by its own votes."""
    ABSTAIN = "abstain"
    """Both views abstain."""


class QuestionSort(StrEnum):
    """By what the questions of a run are listed, those first that are most in doubt."""

    FLIPS = "flips"
    """The label changed most often."""
    DISAGREEMENT = "disagreement"
    """Voters or views disagree most."""
    SHARE = "share"
    """The labels had the smallest shares of their electorates."""


class PeerAbsent(StrEnum):
    """What becomes of a group for which no peer has voted by its deadline."""

    ABSTAIN = "abstain"
    OWN_VIEW = "own-view"
    """The group is labelled by the votes of its own view."""


if TYPE_CHECKING:
    # A word is its text too, so callers may write "paraphrase" for View.PARAPHRASE. What is decoded is always the word.
    ViewText = View | str
    VoterText = Voter | str
    AnswerFormatText = AnswerFormat | str
    ConventionsText = Conventions | str
    QuarantineText = Quarantine | str
    QuestionSortText = QuestionSort | str
    PeerAbsentText = PeerAbsent | str
    ThinkingText = Thinking | str
else:
    ViewText, VoterText, AnswerFormatText, PeerAbsentText = View, Voter, AnswerFormat, PeerAbsent
    ConventionsText, QuarantineText, QuestionSortText = Conventions, Quarantine, QuestionSort
    ThinkingText = Thinking
