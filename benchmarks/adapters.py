"""Measure what each adapter adds to the bare call: milliseconds for a step of 256 rollouts, with the framework's code.

    python -m benchmarks.adapters [trl verl ...]

A framework's program runs in its environment, beside a service of its own, and takes turns: the bare call of the
client with all 256 rollouts, then the adapter with the same. It prints the seconds of each turn.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reward_service.processes import raise_open_files_limit
from tests.support.service import running

ROOT = Path(__file__).parents[1]
PROGRAMS: Mapping[str, str] = {
    "trl": "adapter_trl.py",
    "verl": "adapter_verl.py",
    "slime": "adapter_slime.py",
    "swift": "adapter_swift.py",
    "tinker": "adapter_tinker.py",
    "verifiers": "adapter_verifiers.py",
    "verifiers_task": "adapter_verifiers_task.py",
    "nemo_gym": "adapter_nemo_gym.py",
    "open_reward": "adapter_open_reward.py",
    "areal": "adapter_areal.py",
    "skyrl": "adapter_skyrl.py",
}
"""The program of each adapter, beside this file."""

ENVIRONMENTS: Mapping[str, str | None] = {
    "slime": None,  # the code of these three is fetched, and runs in the environment of the tests
    "areal": None,
    "skyrl": None,
    "verifiers_task": "verifiers",
    "nemo_gym": "gym",
    "open_reward": "gym",
}
"""The framework in whose environment an adapter runs, where it has another name."""


@dataclass(frozen=True, slots=True)
class Step:
    """The median seconds of a step."""

    bare_s: float
    adapter_s: float

    def row(self, framework: str) -> str:
        """Return a row of the table."""
        added_s = self.adapter_s - self.bare_s
        return f"| {framework} | {self.bare_s * 1e3:.0f} | {self.adapter_s * 1e3:.0f} | {added_s * 1e3:.0f} |"


def python_of(environment: str | None) -> str:
    """Return the interpreter of a framework's environment, or of these benchmarks'."""
    if environment is None:
        return sys.executable
    folder = os.environ.get(f"VENV_{environment.upper()}", str(ROOT / f".venv-{environment}"))
    return str(Path(folder) / "bin" / "python")


def measured(framework: str, url: str) -> Step:
    """Run the framework's program against the service at `url`."""
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "clients", ROOT / "tests" / "frameworks")))
    done = subprocess.run(
        [python_of(ENVIRONMENTS.get(framework, framework)), str(Path(__file__).parent / PROGRAMS[framework]), url],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    turns = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return Step(*(statistics.median(turn[name] for turn in turns) for name in ("bare_s", "adapter_s")))


def main(frameworks: Sequence[str]) -> None:
    """Print the table."""
    raise_open_files_limit()
    print("| adapter | bare call, ms | adapter, ms | added, ms |\n|---|---|---|---|")
    for framework in frameworks:
        with running() as supervisor:
            print(measured(framework, supervisor.url).row(framework), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(PROGRAMS))
