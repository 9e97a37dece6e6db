"""Hypothesis strategies for ballots."""

from co_rewarding_schema.vocabulary import View, Voter
from hypothesis import strategies as st

from reward_service.domain.cohort import Ballot

ANSWERS = ["1", "2", "3", "x", None]


def ballot(view: View, rollout: int | None, answer: str | None, truth: str | None = None) -> Ballot:
    """A policy's ballot whose answers are their own classes."""
    return Ballot(view, Voter.POLICY, rollout, answer, answer, truth, truth)


@st.composite
def groups(draw: st.DrawFn, view: View = View.ORIGINAL, *, indexed: bool | None = None) -> list[Ballot]:
    """The ballots of one group, with indices or without."""
    answers = draw(st.lists(st.sampled_from(ANSWERS), max_size=12))
    with_index = draw(st.booleans()) if indexed is None else indexed
    return [ballot(view, index if with_index else None, answer) for index, answer in enumerate(answers)]


@st.composite
def cohorts(draw: st.DrawFn) -> list[Ballot]:
    """The ballots of both views, in any order."""
    return draw(st.permutations(draw(groups()) + draw(groups(View.PARAPHRASE))))
