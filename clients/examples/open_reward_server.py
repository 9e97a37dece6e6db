# pyright: basic, reportMissingImports=false
"""Serve pairs of questions as an environment of the Open Reward Standard, at port 8080.

    export CO_REWARDING_URL=http://127.0.0.1:8000 CO_REWARDING_RUN=pairs
    python open_reward_server.py pairs.jsonl

Each line of the file has question_id, question and paraphrase.
"""

import json
import sys
from pathlib import Path

from co_rewarding_client import RunSettings
from co_rewarding_client.open_reward import environment
from co_rewarding_client.training import Endpoint, paired
from openreward.environments import Server


def main(path: Path) -> None:
    """Serve the questions of a file, for ten epochs."""
    questions = [json.loads(line) for line in path.read_text().splitlines()]
    settings = RunSettings(method="co-rewarding-i", group_size=8)
    Server([environment(Endpoint(), settings, train=paired(questions, epochs=10))]).run(port=8080)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
