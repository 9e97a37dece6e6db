"""OpenRLHF for real under co-rewarding-ii: it publishes its weights, the teacher follows them, and its votes reward."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from co_rewarding_schema.vocabulary import View
from e2e_services import Service, service
from e2e_training import GROUP, PAIRS_PER_STEP, STEPS, RecipeTraining, Trained, make_model, openrlhf_python

from reward_service.api.rewards.teacher_labels import slot_of
from reward_service.domain.extraction import extractor
from reward_service.generation.generator import Prompt, Sampling
from reward_service.store.cohorts import parse_batch
from reward_service.store.keys import RunKeys
from reward_service.store.label_records import TeacherLabel, unpack_label, unpack_prompt
from reward_service.store.records import BatchRecord, unpack_batch
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.openrlhf_training,
    pytest.mark.timeout(900),
    pytest.mark.skipif(openrlhf_python() is None, reason="OpenRLHF is not installed: make e2e-openrlhf"),
]

RUN = "taught"
LAST = STEPS - 1
RESPONSE_TOKENS = 16
KILLED_AT_VERSION = 2
LONGEST_S = 480.0


@dataclass(frozen=True)
class Taught:
    """A training run whose teacher was killed in the middle, and the service that has its records."""

    training: RecipeTraining
    trained: Trained
    at: Service
    weights: Path
    averages: Path
    killed: int


@pytest.fixture(scope="module")
def taught() -> Iterator[Taught]:
    """The shipped recipe under co-rewarding-ii. With α = 0 the teacher is each step's policy: it can be checked."""
    folder = Path(tempfile.mkdtemp(prefix="cr-", dir="/tmp"))  # the paths of Ray's sockets are short
    weights = folder / "weights"
    weights.mkdir()
    make_model(folder / "teacher")
    teaching = {
        "weights_root": weights,
        "teacher_dir": folder / "averages",
        "teacher": str(folder / "teacher"),
        "teacher_backend": "transformers",
        "teacher_dtype": "float32",
        "teacher_lease_s": 3.0,
    }
    changes = {
        "run.method": "co-rewarding-ii",
        "run.alpha_start": 0.0,
        "run.alpha_end": 0.0,
        "run.teacher_max_tokens": RESPONSE_TOKENS,
        "run.cohort_deadline_s": 600.0,  # a teacher that takes the place of one loads torch, beside all else that runs
        "weights.folder": weights,
    }
    more = tuple(word for key, value in changes.items() for word in ("--set", f"{key}={value}"))
    try:
        with service(workers=1, **teaching) as at:
            wait_until(lambda: at.supervisor.pids("teacher"))
            made = RecipeTraining(folder / RUN, RUN, [at.url], more=more)
            made.folder.mkdir()
            made.make()
            began_s = time.monotonic()
            with made.started() as process:
                while standing(at)["version"] < KILLED_AT_VERSION:
                    assert process.poll() is None, made.output()[-6000:]
                    time.sleep(0.02)
                (killed,) = at.supervisor.pids("teacher")
                os.kill(killed, signal.SIGKILL)
                status = process.wait(LONGEST_S)
            yield Taught(
                made, made.trained(status, time.monotonic() - began_s), at, weights, folder / "averages", killed
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def standing(at: Service) -> dict[str, int]:
    answer = httpx.get(f"{at.url}/v1/teacher", params={"run": RUN}, timeout=30.0)
    return answer.json() if answer.status_code == 200 else {"version": 0}  # the run is made in a moment


def batches(at: Service) -> list[BatchRecord]:
    """What was rewarded, one rollout each, as the store keeps it."""
    keys = list(at.redis.scan_iter(f"{RunKeys(RUN).prefix}b:*", count=1000))
    kept = [parse_batch(at.redis.get(key)) for key in keys]  # type: ignore[arg-type]
    return [unpack_batch(each.record) for each in kept if each.record is not None]


def label_of(at: Service, question_id: str) -> tuple[TeacherLabel, str]:
    """The teacher's newest label of a question's original, and what it was asked."""
    kept = at.redis.hgetall(RunKeys(RUN).slot(slot_of(question_id, View.ORIGINAL)))
    return unpack_label(kept[b"r"]), unpack_prompt(kept[b"x"]).text or ""  # type: ignore[index]


def test_it_learns_from_the_teacher_s_votes_alone(taught: Taught) -> None:
    scalars = taught.trained.scalars
    assert len(scalars["train/reward"]) == STEPS
    assert scalars["train/abstained"] == [0.0] * STEPS
    assert all(0.0 < share <= 1.0 for share in scalars["train/vote_share"])
    print(f"{taught.trained.took_s:.0f} s with a teacher that was killed once")


def test_every_reward_names_the_version_that_voted(taught: Taught) -> None:
    found = batches(taught.at)
    assert {batch.step for batch in found} == set(range(STEPS))
    for batch in found:
        (cohort,) = batch.cohorts
        assert cohort.state == "settled"
        assert [label.voter for label in cohort.labels] == ["teacher"]
        assert [label.version for label in cohort.labels] == [batch.step], (
            "the teacher has taken a step before it votes"
        )
        assert len(cohort.electors_E) == GROUP
    asked = {(batch.step, batch.cohorts[0].head.question_id) for batch in found}
    assert len(asked) == STEPS * PAIRS_PER_STEP, "every question of every step was rewarded"


def test_the_teacher_follows_the_policy(taught: Taught) -> None:
    from safetensors.torch import load_file

    final = standing(taught.at)
    assert (final["version"], final["step"]) == (STEPS, STEPS)
    served = load_file(taught.averages / RUN / "serving" / f"version-{STEPS}" / "model.safetensors")
    (newest,) = taught.weights.glob(f"{RUN}.step-{STEPS}.*")
    published = load_file(newest / "model.safetensors")
    assert served.keys() == published.keys()
    assert all((served[name] == published[name].float()).all() for name in served)


def test_its_votes_are_those_of_the_weights_it_names(taught: Taught) -> None:
    """Drawn again from the last step's published weights, with the seed that was kept, they are the same."""
    from reward_service.generation.transformers_backend import TransformersGenerator

    of_last = {batch.cohorts[0].head.question_id for batch in batches(taught.at) if batch.step == LAST}
    labels = [label_of(taught.at, question_id) for question_id in sorted(of_last)]
    (published,) = taught.weights.glob(f"{RUN}.step-{LAST}.*")
    model = taught.training.folder / "model"

    async def answers() -> tuple[list[list[str | None]], list[list[str | None]]]:
        generator = await TransformersGenerator.open(str(model))
        before = [await drawn(generator, label, text) for label, text in labels]
        await generator.load(published)
        after = [await drawn(generator, label, text) for label, text in labels]
        await generator.close()
        return before, after

    before, after = asyncio.run(answers())
    voted = [[row.answer for row in label.rows_G] for label, _ in labels]
    assert {label.version for label, _ in labels} == {LAST}
    assert after == voted
    assert before != voted, "the weights that it began with vote otherwise"


async def drawn(generator: object, label: TeacherLabel, text: str) -> list[str | None]:
    sampling = Sampling(n=GROUP, temperature=1.0, max_tokens=RESPONSE_TOKENS, seed=label.seed)
    generated = await generator.generate(Prompt(text=text), sampling)  # type: ignore[attr-defined]
    return [extractor(("boxed",))(each) for each in generated.texts_n]


def test_a_teacher_that_was_killed_was_replaced(taught: Taught) -> None:
    (living,) = taught.at.supervisor.pids("teacher")
    assert living != taught.killed
