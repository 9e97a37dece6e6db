"""Two steps of OpenRLHF with a language model that can speak, on a CPU: what came of them, as a log.

python tests/e2e/smollm2.py MODEL [--log FILE]

MODEL is the folder that scripts/make-smollm2 has made. Run by the Python of the service; OpenRLHF is taken from where
`make e2e-openrlhf` has installed it.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e_records import by_step
from e2e_services import service
from e2e_training import ROOT, RecipeTraining, Trained, openrlhf_python

from benchmarks.machine import describe

RUN = "smollm2"
STEPS = 2
QUESTIONS_PER_STEP = 6
GROUP = 4
PAIRS = "trainer/recipes/word-problems.jsonl"
VIEWS = ("original", "paraphrase")
LONGEST_S = 1500.0
WIDTHS = (10, 12, 12, 7, 7)
LONGEST_SHOWN = 10
LOGGED = {
    "train/reward": "reward",
    "train/vote_share": "vote share of the label",
    "train/label_matches_truth": "label matches the ground truth",
    "train/abstained": "abstained",
    "train/undecided": "undecided",
    "train/kl": "KL to the reference model",
    "train/vllm_kl": "KL between rollout and training",
    "train/actor_lr": "learning rate",
    "train/rollout/response_length_mean": "tokens of a response",
    "train/rollout/truncated_rate": "responses that were cut",
    "train/timing/generation": "seconds: rollouts and rewards",
    "train/timing/make_experience": "seconds: log-probabilities",
    "train/timing/ppo_train": "seconds: optimizer step",
    "train/timing/broadcast": "seconds: new weights to vLLM",
}


@dataclass(frozen=True)
class SmolLM2Training(RecipeTraining):
    """`co-rewarding train smollm2-cpu`."""

    model: Path = Path()
    recipe = "smollm2-cpu"

    @property
    def changes(self) -> Mapping[str, object]:
        """Model and questions are there already."""
        return {"model.path": self.model, "data.source": ROOT / PAIRS}


def train(model: Path, folder: Path) -> tuple[Trained, list[dict[str, Any]]]:
    """What the trainer logged, and the service's records of every cohort."""
    with service(workers=2) as serving:
        trained = SmolLM2Training(folder, RUN, [serving.url], model=model).train(LONGEST_S)
        return trained, serving.cohorts(RUN)


def check(trained: Trained, cohorts: list[dict[str, Any]]) -> None:
    """Every rollout of every step was rewarded, once."""
    assert len(trained.scalars["train/reward"]) == STEPS
    assert [len(group) for group in by_step(cohorts).values()] == [QUESTIONS_PER_STEP] * STEPS
    for cohort in cohorts:
        assert cohort["state"] in {"settled", "abstained"}, "where no response of either view held an answer"
        assert len(cohort["ballots"]) == 2 * GROUP
        assert all(ballot["counted"] for ballot in cohort["ballots"])
    for group, logged in zip(by_step(cohorts).values(), trained.scalars["train/reward"], strict=True):
        rewards = [ballot["reward"] or 0.0 for cohort in group for ballot in cohort["ballots"]]
        assert abs(statistics.mean(rewards) - logged) < 1e-5, "the trainer learned from what the service recorded"


def log(trained: Trained, cohorts: list[dict[str, Any]]) -> Iterator[str]:
    """Line by line."""
    yield "SmolLM2-135M-Instruct, two steps of co-rewarding-i on a CPU: make e2e-openrlhf-smollm2"
    yield describe()
    yield versions()
    yield ""
    yield f"co-rewarding train smollm2-cpu --set model.path=MODEL --set data.source={PAIRS}"
    yield f"ended with status 0 after {trained.took_s:.0f} s"
    for step, group in by_step(cohorts).items():
        yield ""
        yield f"step {step}: what the service recorded ({GROUP} rollouts of each view; - is no answer)"
        headings = zip(("question", "view", "label", "votes", "truth"), WIDTHS, strict=True)
        yield "  " + "".join(f"{heading:<{width}}" for heading, width in headings) + "answer and reward of each rollout"
        for cohort in sorted(group, key=lambda cohort: cohort["question_id"]):
            yield from rows(cohort)
    yield ""
    yield f"{'what the trainer logged':<36}" + "".join(f"{f'step {step}':>12}" for step in range(STEPS))
    for name, words in LOGGED.items():
        yield f"  {words:<34}" + "".join(f"{value:>12.4g}" for value in trained.scalars[name])


def rows(cohort: Mapping[str, Any]) -> Iterator[str]:
    """A line a view: what was elected for it, and what its rollouts answered and earned."""
    labels = {label["view"]: label for label in cohort["labels"]}
    for view in VIEWS:
        label = labels.get(view, {"answer": None, "votes": 0, "of": 0, "matches_truth": None})
        ballots = [ballot for ballot in cohort["ballots"] if ballot["view"] == view]
        cells = (
            *(cohort["question_id"], view, short(label["answer"]), f"{label['votes']}/{label['of']}"),
            {True: "right", False: "wrong", None: "-"}[label["matches_truth"]],
        )
        answers = ", ".join(f"{short(each['answer'])} {short(each['reward'])}" for each in ballots)
        yield "  " + "".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS, strict=True)) + answers


def short(value: object) -> str:
    """An answer or a reward in few characters; - for none."""
    told = "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return told if len(told) <= LONGEST_SHOWN else f"{told[: LONGEST_SHOWN - 1]}…"


def versions() -> str:
    """What trained."""
    names = ("openrlhf", "vllm", "deepspeed", "ray", "torch", "transformers")
    told = f"import importlib.metadata as m; print(', '.join(f'{{name}} {{m.version(name)}}' for name in {names}))"
    return subprocess.run(
        [str(openrlhf_python()), "-c", told], check=True, capture_output=True, text=True
    ).stdout.strip()


def main() -> None:
    """Trains, checks, prints; with --log writes as well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    if openrlhf_python() is None:
        sys.exit("OpenRLHF is not installed: make e2e-openrlhf-smollm2")
    with tempfile.TemporaryDirectory(prefix="cr-", dir="/tmp") as folder:  # the paths of Ray's sockets are short
        trained, cohorts = train(options.model.absolute(), Path(folder))
    check(trained, cohorts)
    told = "\n".join(log(trained, cohorts)) + "\n"
    print(told, end="")
    if options.log is not None:
        options.log.write_text(told)


if __name__ == "__main__":
    main()
