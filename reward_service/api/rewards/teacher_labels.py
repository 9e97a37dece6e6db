"""Find the teacher's labels that a request waits for, and the prompts that the teacher is asked. Pure."""

from collections.abc import Sequence

import msgspec
from co_rewarding_schema.method_rules import Method
from co_rewarding_schema.rollouts import RewardRequest, Rollout
from co_rewarding_schema.run_settings import RunSettings
from co_rewarding_schema.vocabulary import View, Voter

from reward_service.domain.teacher import needed_version
from reward_service.store.cohorts import VIEW_LETTERS
from reward_service.store.keys import digest, question_of_prompt
from reward_service.store.label_records import TeacherPrompt
from reward_service.store.labels import WantedLabel
from reward_service.store.records import VIEWS, VOTERS, BatchJob


def slot_of(question_id: str, view: View) -> str:
    """How one view of a question is named where the teacher labels it."""
    return digest(question_id, VIEW_LETTERS[VIEWS.index(view)], size=10)


def taught(
    job: BatchJob, request: RewardRequest, method: Method, settings: RunSettings
) -> tuple[BatchJob, list[WantedLabel]]:
    """The job with the labels that its cohorts wait for, and those labels with who wants them and what is asked.

    A view that comes with ballots of a teacher (a batch may bring its own) waits for none. How a view is worded is
    told by its own rollouts, whoever wants its label: those of the other view may be on their way.
    """
    texts = _texts(request.rollouts)
    brought = {(_question_of(r), View(r.view)) for r in request.rollouts if r.voter is Voter.TEACHER}
    need = needed_version(request.step, settings)
    wanted: dict[str, WantedLabel] = {}
    cohorts = list(job.cohorts)
    for place, cohort in enumerate(job.cohorts):
        question_id, slots = cohort.head.question_id, []
        for index, view in enumerate(VIEWS):
            rollouts = sum(row.view == index and VOTERS[row.voter] is Voter.POLICY for row in cohort.rows_B)
            if not rollouts:
                continue
            for asked in method.rules[view].views_of(Voter.TEACHER):
                if (question_id, asked) in brought:
                    continue
                slot = slot_of(question_id, asked)
                slots.append(slot)
                earlier = wanted.get(slot)
                wanted[slot] = WantedLabel(
                    slot,
                    question_id,
                    VIEWS.index(asked),
                    need,
                    rollouts + (earlier.rollouts if earlier else 0),
                    texts.get((question_id, asked)),
                    told=(question_id, asked) in texts,
                )
        cohorts[place] = msgspec.structs.replace(cohort, slots=slots)
    for (question_id, view), prompt in texts.items():
        slot = slot_of(question_id, view)
        if slot not in wanted and (question_id, view) not in brought:
            wanted[slot] = WantedLabel(slot, question_id, VIEWS.index(view), need, 0, prompt, told=True)
    return msgspec.structs.replace(job, cohorts=cohorts), list(wanted.values())


def _texts(rollouts: Sequence[Rollout]) -> dict[tuple[str, View], TeacherPrompt | None]:
    """How each view of each question is worded; None where no rollout of it says so."""
    found: dict[tuple[str, View], TeacherPrompt | None] = {}
    for rollout in rollouts:
        view = (_question_of(rollout), View(rollout.view))
        if found.get(view) is None:
            found[view] = None if rollout.prompt is None else TeacherPrompt(text=rollout.prompt)
    return found


def _question_of(rollout: Rollout) -> str:
    return rollout.question_id or question_of_prompt(rollout.prompt or "")
