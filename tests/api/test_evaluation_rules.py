"""What decides each cohort of an evaluation, by plain counting: pure, without a service."""

from collections import defaultdict

from co_rewarding_schema.methods import BY_GROUND_TRUTH, METHODS, WITHIN_A_VIEW
from co_rewarding_schema.rollouts import RewardRequest, Rollout
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import View
from hypothesis import given
from hypothesis import strategies as st

from reward_service.api.rewards.cohort_builder import batch_of, part_of
from reward_service.api.rewards.evaluation import in_its_run
from reward_service.store.records import VIEWS, unpack_head

MANY_CHARS = 1000
GROUPS = st.dictionaries(
    st.tuples(st.sampled_from("abc"), st.sampled_from(View)),
    st.lists(st.sampled_from([None, "", " ", "4", 4]), min_size=1, max_size=4),
    min_size=1,
)
SETTINGS = st.builds(RunSettings, method=st.sampled_from(sorted(METHODS)), peers=st.just(("another",)))


def asked(groups: dict[tuple[str, View], list[str | int | None]], *, complete: bool) -> RewardRequest:
    rollouts = [
        Rollout(question_id=question, view=view, rollout=index, response="\\boxed{4}", ground_truth=truth)
        for (question, view), truths_G in groups.items()
        for index, truth in enumerate(truths_G)
    ]
    return in_its_run(RewardRequest(run="r", evaluate=True, complete=complete, rollouts=rollouts))


def is_truth(truth: str | int | None) -> bool:
    return truth is not None and bool(str(truth).strip())


@given(GROUPS, SETTINGS)
def test_a_group_is_compared_if_one_of_its_rollouts_has_a_truth(
    groups: dict[tuple[str, View], list[str | int | None]], settings: RunSettings
) -> None:
    derived = settings.for_evaluation()
    job = batch_of(asked(groups, complete=True), METHODS[derived.method], derived, MANY_CHARS)
    found = {(cohort.head.question_id, VIEWS[cohort.rows_B[0].view]): cohort for cohort in job.cohorts}
    assert found.keys() == groups.keys()
    for group, truths_G in groups.items():
        compared = any(map(is_truth, truths_G))
        assert found[group].head.rules.method == (BY_GROUND_TRUTH if compared else WITHIN_A_VIEW)
        assert len(found[group].rows_B) == len(truths_G)
    every = all(any(map(is_truth, truths_G)) for truths_G in groups.values())
    assert job.method == (BY_GROUND_TRUTH if every else WITHIN_A_VIEW)
    assert job.run == "r.evaluation"


@given(GROUPS, SETTINGS)
def test_in_a_part_each_rollout_with_a_truth_or_beside_one_waits_for_nobody(
    groups: dict[tuple[str, View], list[str | int | None]], settings: RunSettings
) -> None:
    derived = settings.for_evaluation()
    request = asked(groups, complete=False)
    part = part_of(request, METHODS[derived.method], derived, None, MANY_CHARS)
    cohorts = {each.cohort: each for each in part.cohorts}
    voted: dict[str, set[tuple[str | None, str]]] = defaultdict(set)
    for rollout, (name, ballot) in zip(request.rollouts, part.places_N, strict=True):
        cohort = cohorts[name]
        head = unpack_head(cohort.head)
        group = str(rollout.question_id), View(rollout.view)
        if any(map(is_truth, groups[group])):
            assert (head.rules.method, cohort.group_size) == (BY_GROUND_TRUTH, 1)
            assert [each[1] for each in cohort.ballots] == [ballot]
        else:
            assert (head.rules.method, cohort.group_size) == (WITHIN_A_VIEW, None)
            voted[name].add(group)
    assert all(len(groups_of) == 1 for groups_of in voted.values())


def test_a_rollout_beside_others_has_the_truth_of_the_first_of_its_own_view() -> None:
    def of(index: int, truth: str | None, *, question: str = "q", view: View = View.ORIGINAL) -> Rollout:
        return Rollout(question_id=question, view=view, rollout=index, response="", ground_truth=truth)

    rollouts = [of(2, "2"), of(0, None), of(1, "1"), of(0, None, view=View.PARAPHRASE), of(0, None, question="other")]
    request = in_its_run(RewardRequest(run="r", evaluate=True, rollouts=rollouts))
    assert [each.ground_truth for each in request.rollouts] == ["2", "1", "1", None, None]
    assert in_its_run(RewardRequest(run="r", rollouts=rollouts)).rollouts == rollouts, "a training's stay as they are"


def test_a_question_may_be_named_by_its_prompt() -> None:
    rollouts = [
        Rollout(prompt="a?", response="", ground_truth="1"),
        Rollout(prompt="a?", response=""),
        Rollout(prompt="b?", response=""),
    ]
    request = in_its_run(RewardRequest(run="r", evaluate=True, complete=False, rollouts=rollouts))
    assert [each.ground_truth for each in request.rollouts] == ["1", "1", None]
