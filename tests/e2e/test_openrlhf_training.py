"""OpenRLHF for real: train_ppo_ray, vLLM and DeepSpeed, unmodified, learn from the service."""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from e2e_faults import Faults, Trouble, faults
from e2e_records import assert_logged, assert_rewarded_once, by_step
from e2e_restarted import restarted
from e2e_services import Service, service
from e2e_training import (
    EPOCHS,
    GROUP,
    PAIRS,
    PAIRS_PER_STEP,
    STEPS,
    RecipeTraining,
    Trained,
    Training,
    openrlhf_python,
)

pytestmark = [
    pytest.mark.openrlhf_training,
    pytest.mark.timeout(900),
    pytest.mark.skipif(openrlhf_python() is None, reason="OpenRLHF is not installed: make e2e-openrlhf"),
]

SETTINGS: dict[str, Any] = {"method": "co-rewarding-i", "group_size": GROUP}
SAVED_AT = 4
LONGEST_S = 480.0
CHANGES = """
[evaluation]
source = "{source}"
every_steps = 3
samples_per_question = 2

[output]
checkpoint_every_steps = {saved_at}

[openrlhf]
"ckpt.best_metric_key" = "none"  # what is best after an evaluation would be what is resumed from
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Not pytest's folder: the paths of Ray's sockets are short."""
    made = Path(tempfile.mkdtemp(prefix="cr-", dir="/tmp"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def replicas() -> Iterator[tuple[Service, Service]]:
    """Two API replicas and two workers over one store."""
    with service(workers=2) as first, service(workers=0, redis_url=first.supervisor.redis_url) as second:
        yield first, second


def training(folder: Path, run: str, *urls: str, **more: Any) -> Training:
    (folder / run).mkdir()
    return Training(folder / run, run, urls, **more).make()


@pytest.fixture(scope="module")
def shipped(folder: Path, replicas: tuple[Service, Service]) -> tuple[RecipeTraining, Trained, Faults]:
    """`co-rewarding train cpu-smoke`, by the plain door over both replicas, with an evaluation and a checkpoint."""
    made = RecipeTraining(folder / "shipped", "shipped", ["later"])
    made.folder.mkdir()
    (made.folder / "changes.toml").write_text(CHANGES.format(source=made.folder / "pairs.parquet", saved_at=SAVED_AT))
    with faults(*(replica.url for replica in replicas)) as wire:  # no fault here, only a clock
        made = replace(made, urls=[wire.url], more=(str(made.folder / "changes.toml"),)).make()
        return made, made.train(), wire


@dataclass(frozen=True)
class Killed:
    """A run whose service was killed: how far it was then, and what the service's records say in the end."""

    training: Training
    trained: Trained
    settled_before: int
    cohorts: list[dict[str, Any]]


@pytest.fixture(scope="module")
def killed(folder: Path) -> Killed:
    """By the agent's door; the service and its store are killed in the midst of a later step and started again.

    The negative control too: vLLM goes on sampling from the first weights. And the new ones are published.
    """
    environment = {
        "OPENRLHF_ON_CPU_NO_SYNC": "1",
        "CO_REWARDING_PUBLISH_EVERY": "2",
        "CO_REWARDING_WEIGHTS_DIR": str(folder / "weights"),
    }
    with restarted() as serving:
        looking: Any = SimpleNamespace(url=serving.url, redis_url=serving.redis_url)
        at = Service(looking)
        at.make_run("killed", **SETTINGS)
        made = training(folder, "killed", serving.url, agent=True, environment=environment)
        began_s = time.monotonic()
        with made.started() as process:
            while at.stats("killed").get("settled", 0) < 2 * PAIRS_PER_STEP or not (waiting := at.waiting("killed")):
                assert process.poll() is None, made.output()[-6000:]
                time.sleep(0.005)
            settled = at.stats("killed")["settled"]
            serving.kill()
            serving.start()
            status = process.wait(LONGEST_S)
        trained = made.trained(status, time.monotonic() - began_s)
        print(f"killed with {settled} cohorts settled and {waiting} ballots waiting; {trained.took_s:.0f} s in all")
        cohorts = assert_rewarded_once(at, "killed")
        at.redis.close()
    return Killed(made, trained, settled, cohorts)


def test_every_rollout_is_rewarded_once_and_logged(
    shipped: tuple[RecipeTraining, Trained, Faults], replicas: tuple[Service, Service]
):
    _, trained, wire = shipped
    assert_logged(trained, assert_rewarded_once(replicas[0], "shipped"))
    assert trained.took_s < LONGEST_S
    evaluated = {name for name in trained.scalars if name.startswith("eval/eval_") and name.endswith("_pass1")}
    (evaluations,) = (trained.scalars[name] for name in evaluated)
    assert len(evaluations) == STEPS // 3
    assert all(0.0 <= share <= 1.0 for share in evaluations)
    waits_s = ", ".join(f"{wait_s:.2f}" for wait_s in sorted(wire.waits_s()))
    print(f"{trained.took_s:.0f} s; from the last question to the last answer of each step: {waits_s} s")


def test_the_schedule_of_the_learning_rate_counts_both_views(shipped: tuple[RecipeTraining, Trained, Faults]):
    rates = shipped[1].scalars["train/actor_lr"]
    assert len(rates) == STEPS
    assert rates == sorted(set(rates), reverse=True), "its end is the last step's, and no earlier one's"


def test_a_service_that_is_killed_and_restarted_is_waited_for(killed: Killed):
    assert killed.settled_before < EPOCHS * PAIRS
    assert_logged(killed.trained, killed.cohorts)


def test_vllm_samples_from_the_new_weights(shipped: tuple[RecipeTraining, Trained, Faults], killed: Killed):
    """Between what was sampled from and what was trained there is rounding; with the old weights kept there is more."""
    fresh_kl, stale_kl = (trained.scalars["train/vllm_kl"] for trained in (shipped[1], killed.trained))
    print(f"train-versus-rollout KL: {fresh_kl} with new weights, {stale_kl} without")
    assert max(fresh_kl) < 0.02
    assert max(stale_kl[2:]) > 5 * max(fresh_kl)


def test_weights_are_published_and_a_run_without_a_teacher_stops_nothing(killed: Killed, folder: Path):
    from safetensors.torch import load_file

    folders = sorted((folder / "weights").iterdir())
    assert [path.name.split(".")[1] for path in folders] == ["step-4", "step-6"]
    before, after = (load_file(path / "model.safetensors") for path in folders)
    start = load_file(killed.training.folder / "model" / "model.safetensors")
    assert before.keys() == after.keys() == start.keys()
    assert any((before[name] != after[name]).any() for name in before)
    assert "the service did not take the weights of step 6: " in killed.training.output()


def test_a_resumed_run_asks_what_is_left(
    shipped: tuple[RecipeTraining, Trained, Faults], replicas: tuple[Service, Service]
):
    near, _ = replicas
    known = near.cohorts("shipped")
    before = {step: {c["question_id"] for c in group} for step, group in by_step(known).items()}
    first = {cohort["cohort"] for cohort in known}
    made = shipped[0]
    shutil.rmtree(made.logs)
    resumed = replace(made, urls=[near.url], more=(*made.more, "--resume")).train()
    assert len(resumed.scalars["train/reward"]) == STEPS - SAVED_AT
    again = by_step([cohort for cohort in near.cohorts("shipped") if cohort["cohort"] not in first])
    asked = {step: {c["question_id"] for c in group} for step, group in again.items()}
    assert asked == {step: before[step] for step in range(SAVED_AT, STEPS)}
    for group in again.values():
        assert all(len(cohort["ballots"]) == 2 * GROUP for cohort in group), "older attempts are kept apart"


def test_a_third_of_the_requests_meets_trouble(folder: Path, replicas: tuple[Service, Service]):
    """The shipped recipe again, by the plain door: OpenRLHF's own five tries, of which no rollout loses more than 3."""
    made = RecipeTraining(folder / "troubled", "troubled", ["later"])
    made.folder.mkdir()
    with faults(*(replica.url for replica in replicas), share=1 / 3) as wire:
        trained = replace(made, urls=[wire.url]).make().train()
    assert_logged(trained, assert_rewarded_once(replicas[0], "troubled"))
    requests = sum(wire.troubles.values())
    print(f"{requests} requests: {dict(wire.troubles)}; {trained.took_s:.0f} s")
    assert all(wire.troubles[trouble] > 5 for trouble in Trouble), wire.troubles
    assert 0.25 < 1.0 - wire.troubles[Trouble.NONE] / requests < 0.42


WIDE = (
    *("--actor.num_gpus_per_node", "2", "--ref.num_gpus_per_node", "2", "--vllm.num_engines", "2"),
    *("--ds.zero_stage", "3", "--train.async_enable", "--algo.dynamic_filtering_enable"),
)


@pytest.mark.slow
def test_ranks_engines_and_filtered_questions(folder: Path, replicas: tuple[Service, Service]):
    """ZeRO-3 over two ranks, two engines, generation beside training, and pairs that are dropped and replaced."""
    from safetensors.torch import load_file

    near, _ = replicas
    near.make_run("wide", **SETTINGS)
    weights = folder / "wide weights"
    environment = {"CO_REWARDING_PUBLISH_EVERY": "1", "CO_REWARDING_WEIGHTS_DIR": str(weights)}
    made = training(folder, "wide", near.url, agent=True, epochs=3, more=WIDE, environment=environment)
    trained = made.train(within_s=800.0)
    assert "Filtered out" in made.output()
    assert set(trained.scalars["train/rollout/num_samples"]) == {2.0 * PAIRS_PER_STEP * GROUP}, "whole batches only"
    for cohort in near.cohorts("wide"):
        assert cohort["state"] == "settled"
        assert Counter(ballot["view"] for ballot in cohort["ballots"]) == {"original": GROUP, "paraphrase": GROUP}
    start = load_file(made.folder / "model" / "model.safetensors")
    newest = max(weights.iterdir(), key=lambda path: path.stat().st_mtime)
    published = load_file(newest / "model.safetensors")
    assert {name: tensor.shape for name, tensor in published.items()} == {n: t.shape for n, t in start.items()}
    assert any((published[name] != start[name]).any() for name in start)
