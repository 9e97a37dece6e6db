"""What the rewards must be: rollouts made up from a seed, and the rule written out once more, without the service."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

VIEWS = ("original", "paraphrase")
OTHER = {"original": ["paraphrase"], "paraphrase": ["original"]}
OWN = {view: [view] for view in VIEWS}
BOTH = dict.fromkeys(VIEWS, VIEWS)
GROUP = 8
NO_ANSWER = "0"


@dataclass(frozen=True)
class Rollout:
    """One response, by whom it was sampled and what it answers."""

    question_id: str
    view: str
    index: int
    response: str
    answer: str | None

    @property
    def prompt(self) -> str:
        return f"{self.question_id}, {self.view}: what is it?\n"

    def label(self, run: str, **more: object) -> str:
        """The JSON object that OpenRLHF carries beside a prompt."""
        return json.dumps({"question_id": self.question_id, "view": self.view, "n": GROUP, "run": run, **more})

    def wire(self, *, indexed: bool = True, prompted: bool = False) -> dict[str, object]:
        """The rollout as /v1 takes it; `prompted`: with what a teacher is asked."""
        wire: dict[str, object] = {
            "question_id": self.question_id,
            "view": self.view,
            "response": self.response,
        }
        wire |= {"prompt": self.prompt} if prompted else {}
        return wire | {"rollout": self.index} if indexed else wire


@dataclass(frozen=True)
class Due:
    """What a rollout must get; `reward` is None where its group abstains."""

    reward: float | None
    vote_share: float

    @property
    def openrlhf(self) -> tuple[float, float, dict[str, float]]:
        """Reward, score and logs as OpenRLHF's executor hands them on."""
        reward = self.reward or 0.0
        abstained = float(self.reward is None)
        logs = {"vote_share": self.vote_share, "abstained": abstained, "undecided": 0.0, "prompt_not_found": 0.0}
        return reward, reward, logs


Due_R = dict[Rollout, Due]


def winner(answers: Iterable[str | None], *, indexed: bool) -> str | None:
    """The majority; a tie goes to the lowest index or, without indices, to the smallest answer as text."""
    voting = [answer for answer in answers if answer is not None]
    counts = Counter(voting)
    rank = voting.index if indexed else str
    return min(counts, key=lambda answer: (-counts[answer], rank(answer)), default=None)


def due(rollouts: Sequence[Rollout], *, electorate: Mapping[str, Sequence[str]], indexed: bool) -> Due_R:
    """What each rollout of whole groups is due when its view's label is elected by the views `electorate[view]`."""
    groups: dict[tuple[str, str], list[Rollout]] = {}
    for rollout in sorted(rollouts, key=lambda rollout: rollout.index):
        groups.setdefault((rollout.question_id, rollout.view), []).append(rollout)
    found: Due_R = {}
    for (question_id, view), group in groups.items():
        electors = (voter for elector in electorate[view] for voter in groups[question_id, elector])
        voters = [voter.answer for voter in sorted(electors, key=lambda voter: voter.index)]  # of both views, by index
        label = winner(voters, indexed=indexed)
        share = 0.0 if label is None else voters.count(label) / len(voters)
        for rollout in group:
            found[rollout] = Due(None if label is None else float(rollout.answer == label), share)
    return found


def co_rewarding(rollouts: Sequence[Rollout], *, indexed: bool) -> Due_R:
    """co-rewarding-i: each view under the majority of the other."""
    return due(rollouts, electorate=OTHER, indexed=indexed)


def majority(rollouts: Sequence[Rollout], *, indexed: bool) -> Due_R:
    """majority-voting: each view under its own majority."""
    return due(rollouts, electorate=OWN, indexed=indexed)


def union(rollouts: Sequence[Rollout], *, indexed: bool) -> Due_R:
    """majority-voting-union: both views under the majority of all."""
    return due(rollouts, electorate=BOTH, indexed=indexed)


def taught(rollouts: Sequence[Rollout]) -> Due_R:
    """co-rewarding-ii: each view under what its teacher says."""
    answers = teacher_answers(rollouts)
    return {rollout: Due(float(rollout.answer == answers.get(rollout.prompt, NO_ANSWER)), 1.0) for rollout in rollouts}


def teacher_answers(rollouts: Iterable[Rollout]) -> dict[str, str]:
    """What a teacher says to a prompt: as the last rollout that answers it; NO_ANSWER where none does."""
    return {rollout.prompt: rollout.answer for rollout in rollouts if rollout.answer is not None}


def questions(count: int, seed: int, views: Sequence[str] = VIEWS, name: str = "q") -> list[Rollout]:
    """Whole groups for `count` questions: mostly with a clear winner, some tied, some without any answer.

    Few wordings are used, so most groups hold texts that are equal to the byte; each of them is a vote.
    """
    chance = random.Random(seed)
    rollouts: list[Rollout] = []
    for number in range(count):
        truth = chance.randint(-99, 99)
        for view in views:
            kind = "empty" if number % 16 == 15 and view == views[-1] else "tied" if number % 8 == 5 else "clear"
            answers = _answers(kind, truth, chance)
            for index, answer in enumerate(answers):
                text = _wording(answer, chance.randrange(2))
                rollouts.append(Rollout(f"{name}{seed}/{number}", view, index, text, answer))
    return rollouts


def _answers(kind: str, truth: int, chance: random.Random) -> list[str | None]:
    wrong = [str(truth + step) for step in (1, 2, 30)]
    match kind:
        case "empty":
            answers: list[str | None] = [None] * GROUP
        case "tied":
            answers = [str(truth), wrong[0]] * 3 + [wrong[2], None]
        case _:
            votes = chance.choice((4, 5, 6, 8))
            answers = [str(truth)] * votes + [wrong[0], wrong[1], wrong[0], None][: GROUP - votes]
    chance.shuffle(answers)
    return answers


def _wording(answer: str | None, wording: int) -> str:
    if answer is None:
        return f"I cannot say ({wording})."
    return ("So it is \\boxed{%s}.", "Let us see: $\\boxed{ %s }$")[wording] % answer
