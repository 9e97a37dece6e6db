"""Measure how much of the teacher's time a trainer sees, with prefetch and without: `python -m benchmarks.prefetch`.

A policy samples on one core, a teacher of the same tiny model answers on the other. Each step publishes new weights,
announces its questions or does not, samples, and asks for its rewards; the kinds of steps take turns. What is seen is
the time from the policy's last rollout to the last reward. The baseline of the same run is a step whose labels were
there before it began: what rewards cost with none of the teacher's time in them.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import torch
from co_rewarding_client import RewardClient, RunSettings
from co_rewarding_trainer.chains import CHAINS
from co_rewarding_trainer.loop import as_sent
from co_rewarding_trainer.policy import Policy, load_policy
from co_rewarding_trainer.sampling import Rollouts, sample
from co_rewarding_trainer.task import TaskPair, draw_problems
from co_rewarding_trainer.teacher_publisher import TeacherPublisher
from co_rewarding_trainer.warm_start import SHIPPED
from rich.console import Console
from rich.table import Table

from benchmarks.machine import Cores, describe, pin
from reward_service.serving.supervisor import Supervisor
from reward_service.settings import Settings

TEACHER_BALLOTS = 8
POLICY_ROLLOUTS = 8
START_S = 120.0
KINDS = ("labels were there", "with prefetch", "without prefetch")


@dataclass(frozen=True, slots=True)
class Step:
    """Seconds of one step."""

    kind: str
    sampling_s: float
    seen_s: float


class Trainer:
    """Samples, and waits for rewards."""

    def __init__(self, client: RewardClient, run: str, weights_root: Path, questions: int, rounds: int) -> None:
        """`rounds` is how often the policy samples in a step: as long as a real one takes next to its teacher."""
        self._client = client
        self._run = run
        self._coach = TeacherPublisher(client, run, weights_root)
        self._policy: Policy = load_policy(SHIPPED)
        self._questions = questions
        self._rounds = rounds
        self._generator = torch.Generator().manual_seed(0)

    def step(self, number: int, kind: str) -> Step:
        """One step of a kind; its questions are its own."""
        problems = draw_problems(CHAINS, self._questions, f"{self._run} {number}")
        asked_P = [TaskPair(problem).asked("original") for problem in problems]
        self._coach.prepare(number, self._policy, [] if kind == KINDS[2] else asked_P)
        if kind == KINDS[0]:
            self._wait_for_labels()
        began_s = time.perf_counter()
        prompts = [asked.prompt for asked in asked_P]
        for _ in range(self._rounds - 1):
            self._sample(prompts)
        rollouts = self._sample(prompts)
        sampled_s = time.perf_counter()
        rewards = self._client.rewards(as_sent(asked_P, rollouts, POLICY_ROLLOUTS), step=number)
        seen_s = time.perf_counter() - sampled_s
        assert {label.teacher_version for label in rewards.labels} == {number}, "labels of another version"
        return Step(kind, sampled_s - began_s, seen_s)

    def _sample(self, prompts: Sequence[str]) -> Rollouts:
        return sample(self._policy, prompts, POLICY_ROLLOUTS, 1.0, self._generator, CHAINS.max_new_tokens)

    def _wait_for_labels(self) -> None:
        deadline_s = time.monotonic() + START_S
        while self._client.teacher(self._run).queue and time.monotonic() < deadline_s:
            time.sleep(0.01)


def measure(questions: int, rounds: int, steps: int) -> list[Step]:
    """Steps of each kind in turn, the first of each left out: it warms up."""
    torch.set_num_threads(1)
    cores = Cores.of_this_machine()
    with tempfile.TemporaryDirectory(prefix="cr-") as name:
        folder = Path(name)
        (folder / "weights").mkdir()
        settings = Settings(
            data_dir=folder, port=0, redis_url=None, log_level="ERROR", teacher=str(SHIPPED), teacher_dtype="float32",
            teacher_backend="transformers", teacher_threads=1, teacher_capacity=questions,
            weights_root=folder / "weights",
        )  # fmt: skip
        os.environ["OMP_NUM_THREADS"] = "1"
        supervisor = Supervisor(settings)
        supervisor.start()
        try:
            supervisor.wait_ready()
            run = f"prefetch-{uuid4().hex[:8]}"
            with RewardClient(supervisor.url, run=run) as client:
                client.put_run(run, _settings(steps))
                _wait_for_teacher(client)
                for pid in supervisor.pids("teacher"):
                    pin(pid, cores.rest)
                pin(os.getpid(), cores.api)
                trainer = Trainer(client, run, folder / "weights", questions, rounds)
                turns = [(turn, kind) for turn in range(steps + 1) for kind in KINDS]
                found = [(turn, trainer.step(number, kind)) for number, (turn, kind) in enumerate(turns)]
        finally:
            supervisor.stop()
    return [step for turn, step in found if turn]


def _settings(steps: int) -> RunSettings:
    return RunSettings(
        method="co-rewarding-ii",
        group_size=POLICY_ROLLOUTS,
        teacher_group_size=TEACHER_BALLOTS,
        total_steps=3 * (steps + 1),
        teacher_max_tokens=CHAINS.max_new_tokens,
    )


def _wait_for_teacher(client: RewardClient) -> None:
    deadline_s = time.monotonic() + START_S
    while not client.teacher().ready:
        assert time.monotonic() < deadline_s, f"no teacher within {START_S:g} s"
        time.sleep(0.05)


def report(steps: Sequence[Step]) -> Table:
    """Medians and ranges by kind, and the share of the teacher's time that is seen."""
    table = Table("step", "policy samples, s", "seen after it, s: median (range)", "of the teacher's time")
    medians = {kind: statistics.median(step.seen_s for step in steps if step.kind == kind) for kind in KINDS}
    teacher_s = medians[KINDS[2]] - medians[KINDS[0]]
    for kind in KINDS:
        some = [step for step in steps if step.kind == kind]
        seen = sorted(step.seen_s for step in some)
        share = (medians[kind] - medians[KINDS[0]]) / teacher_s
        table.add_row(
            kind,
            f"{statistics.median(step.sampling_s for step in some):.2f}",
            f"{medians[kind]:.3f} ({seen[0]:.3f}-{seen[-1]:.3f})",
            "the baseline" if kind == KINDS[0] else f"{share:.0%}",
        )
    return table


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=64, help="asked in a step")
    parser.add_argument("--rounds", type=int, default=12, help="how often the policy samples in a step")
    parser.add_argument("--steps", type=int, default=8, help="of each kind")
    arguments = parser.parse_args()
    console = Console()
    console.print(describe())
    console.print(report(measure(arguments.questions, arguments.rounds, arguments.steps)))


if __name__ == "__main__":
    main()
