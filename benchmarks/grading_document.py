"""Write the measurements for a program: shares in [0, 1], times as their names say, all mistakes."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.grading_accuracy import Accuracy, Score
from benchmarks.grading_hostile import Outcome
from benchmarks.grading_pairs import Pair
from benchmarks.grading_voting import Voting


def document(
    machine: str, accuracies: Sequence[Accuracy], votings: Sequence[Voting], outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """All of it, fit for JSON."""
    return {
        "machine": machine,
        "accuracy": {each.data: _accuracy(each) for each in accuracies},
        "voting_ms": {each.workload.name: _voting(each) for each in votings},
        "hostile": {each.hostile.name: _outcome(each) for each in outcomes},
    }


def _accuracy(each: Accuracy) -> dict[str, Any]:
    if any(pair.equal is None for pair in each.pairs):
        names = list(each.verdicts)
        return {
            "pairs": len(each.pairs),
            "agreement": {one: {other: each.agreement(one, other) for other in names} for one in names},
            "equal_to_one_only": {
                one: {other: _pairs(each.only(one, other)) for other in names if other != one} for one in names
            },
        }
    kinds = each.conventions_by_kind()
    return {
        "kinds": {
            kind: {"equal": equal, "pairs": count, "as_labelled": wanted}
            for kind, (equal, count, wanted) in each.by_kind().items()
        },
        "graders": {score.name: _score(score) for score in each.scores},
        "conventions": {kind: {"pairs": count, "as_wanted": wanted} for kind, (count, wanted) in kinds.items()},
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "pairs": len(score.pairs),
        "asked": len(score.asked),
        "accuracy": score.accuracy,
        "precision": score.precision,
        "recall": score.recall,
        "trouble": {what: score.trouble(what) for what in ("undecided", "error", "timeout", "killed")},
        "cpu_us": asdict(score.times),
        "false_equals": _pairs(score.false_equals),
        "false_differents": _pairs(score.false_differents),
    }


def _voting(voting: Voting) -> dict[str, Any]:
    return {
        "cohorts": len(voting.workload.cohorts),
        "questions_to_the_judge": voting.asked,
        "undecided": voting.undecided,
        "graders": {
            name: {
                "cold": asdict(voting.cold(name)),
                "again": asdict(voting.warm(name)),
                "median_ratio": voting.ratio(name),
                "same_classes": voting.same_partition(name),
                "killed": voting.killed.get(name, 0),
            }
            for name in voting.votes
        },
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    numbers = {name: value for name, value in asdict(outcome).items() if name != "hostile"}
    return {"why": outcome.hostile.why, **numbers, "passed": outcome.passed}


def _pairs(pairs: Sequence[Pair]) -> list[list[str]]:
    return [[pair.kind, pair.gold, pair.answer] for pair in pairs]
