"""schemathesis reads the service's OpenAPI document and tries to break what it promises."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.service import running

TAKES_S = 280.0  # a third of it on a quiet machine
HELD = ["--include-path", "/get_reward", "--include-path", "/v1/remote_rm"]
TESTED_APART = "^/v1/(teacher/up(load|date)s|paraphrases(/jobs)?$|(runs/.*/)?events$)"
"""For whom a schema says too little, and those that do not end."""

OTHERS = ["--exclude-path", "/get_reward", "--exclude-path", "/v1/remote_rm", "--exclude-path-regex", TESTED_APART]


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose default run does not wait for cohorts that nobody completes."""
    with running(max_wait_s=0.5, weights_root=tmp_path_factory.mktemp("weights")) as supervisor:
        settings = {"method": "co-rewarding-i", "cohort_deadline_s": 0.05}
        httpx.put(f"{supervisor.url}/v1/runs/default", json=settings).raise_for_status()
        yield supervisor.url


# Held routes come first and alone: a run that the other routes make would hold them for its own long deadline.
@pytest.mark.timeout(TAKES_S + 20)
@pytest.mark.parametrize("which", [HELD, OTHERS], ids=["held", "others"])
def test_schemathesis_finds_nothing(impatient: str, which: list[str], tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{impatient}/openapi.json", *which,
        "--mode", "all", "--max-examples", "20", "--request-timeout", "15", "--seed", "1", "--no-color",
    ]  # fmt: skip
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=TAKES_S, check=False)
    assert found.returncode == 0, found.stdout[-6000:]
