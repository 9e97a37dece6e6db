"""The trackers themselves hold what `track` logs: each figure of each step once, by one process after another."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from co_rewarding_client import RewardClient, Rollout, RunSettings
from conftest import Program

pytestmark = [pytest.mark.framework, pytest.mark.timeout(600)]


def step_done(url: str, run: str, step: int) -> None:
    batch = [
        Rollout(question_id="q", view=view, rollout=at, response=f"so it is \\boxed{{{min(at, step)}}}")
        for view in ("original", "paraphrase")
        for at in range(4)
    ]
    with RewardClient(url, run=run) as client:
        client.put_run(run, RunSettings(method="co-rewarding-i", min_vote_share=0.6))
        client.rewards(batch, step=step)


def spread(point: Mapping[str, Any]) -> dict[str, Any]:
    """A step whose abstentions stand beside its other figures."""
    by_reason = point["abstentions"]
    each = {f"abstentions_{reason}": count for reason, count in by_reason.items()}
    return {**point, "abstentions": sum(by_reason.values()), **each}


@pytest.mark.parametrize("kind", ["tensorboard", "trackio", "wandb", "mlflow"])
def test_each_step_is_in_the_tracker_once(service_url: str, program: Program, tmp_path: Path, kind: str) -> None:
    run = f"run-{uuid4().hex[:8]}"
    place = str(tmp_path / "events") if kind == "tensorboard" else "a-project"
    variables = {
        "WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path), "WANDB_SILENT": "true", "TRACKIO_DIR": str(tmp_path),
        "MLFLOW_TRACKING_URI": f"file://{tmp_path}/mlflow", "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "HF_HOME": str(tmp_path),
    }  # fmt: skip

    def told(*words: str) -> list[dict[str, object]]:
        return program("trackers", "trackers_program.py", kind, place, run, *words, **variables)

    done: list[int] = []
    for steps in ([1, 2, 3], [4], [], [7, 8]):
        for step in steps:
            step_done(service_url, run, step)
        told(service_url)
        done += steps
    with RewardClient(service_url) as client:
        series = client.series(run)
    assert [point["step"] for point in series] == done
    assert any(point["abstentions"] for point in series)
    expected = {
        (point["step"], f"co_rewarding/{name}"): value
        for point in map(spread, series)
        for name, value in point.items()
        if value is not None and name not in {"step", "attempt"}
    }
    found = told()
    assert Counter((line["step"], line["name"]) for line in found) == Counter(expected.keys())
    assert {(line["step"], line["name"]): line["value"] for line in found} == pytest.approx(expected, rel=1e-6)
