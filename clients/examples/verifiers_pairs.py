# pyright: basic, reportMissingImports=false
r"""Play pairs of questions in verifiers: a taskset of a JSONL file, with the environment that rewards them.

Each line has question_id, question, paraphrase and, for evaluation, ground_truth. With this file in the current
folder:

    export PYTHONPATH=. CO_REWARDING_URL=http://127.0.0.1:8000 CO_REWARDING_RUN=pairs
    vf-eval verifiers-pairs --env.taskset.path pairs.jsonl --env.group-size 8 \
        --env.agent.harness.id null --env.agent.runtime.type subprocess
"""

import json
from collections.abc import Iterator
from pathlib import Path

import verifiers.v1 as vf
from co_rewarding_client.verifiers import CoRewardingEnv, PairData

__all__ = ["CoRewardingEnv", "Pairs"]  # verifiers looks here for the taskset and its environment


class PairsConfig(vf.TasksetConfig):
    """Where the questions are."""

    path: Path = Path("pairs.jsonl")


class PairTask(vf.Task[PairData]):
    """A question in its original wording; the environment plays its paraphrase too."""


class Pairs(vf.Taskset[PairTask, PairsConfig]):
    """The questions of a file."""

    def load(self) -> Iterator[PairTask]:
        """Read a task from each line."""
        for line in self.config.path.read_text().splitlines():
            row = json.loads(line)
            data = PairData(prompt=row.pop("question"), **row)
            yield PairTask(data, self.config.task)
