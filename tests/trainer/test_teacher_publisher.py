"""The teacher gets the weights of each step before its questions, which are those that are trained on."""

import json
from pathlib import Path

import httpx
import pytest

torch = pytest.importorskip("torch", reason="the laptop trainer needs torch: pip install 'co-rewarding[local]'")

from co_rewarding_client import RewardClient  # noqa: E402
from co_rewarding_trainer.loop import LoopConfig, questions, train  # noqa: E402
from co_rewarding_trainer.policy import load_policy  # noqa: E402
from co_rewarding_trainer.teacher_publisher import KEPT_VERSIONS, TeacherPublisher  # noqa: E402
from co_rewarding_trainer.warm_start import SHIPPED  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from tests.trainer.scoring import GroundTruthRewarder  # noqa: E402


class Listening:
    """A service that takes what it is sent, at httpx's transport."""

    def __init__(self, root: Path) -> None:
        self.calls: list[tuple[str, dict]] = []
        self.weights: list[dict] = []
        self._root = root

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.calls.append((request.url.path, body))
        if request.url.path == "/v1/teacher/updates":
            self.weights.append(load_file(self._root / body["path"] / "model.safetensors"))
            return httpx.Response(202, json={"version": body["step"], "alpha": 0.99})
        return httpx.Response(202, json={"accepted": len(body["questions"])})


def test_each_step_is_announced_after_its_weights(tmp_path: Path) -> None:
    listening = Listening(tmp_path)
    config = LoopConfig(steps=4, evaluation_problems=20)
    policy = load_policy(SHIPPED)
    with RewardClient("http://service", transport=httpx.MockTransport(listening)) as client:
        train(policy, GroundTruthRewarder(), config, publisher=TeacherPublisher(client, "r", tmp_path))
    routes = [(path.rpartition("/")[2], body["step"]) for path, body in listening.calls]
    assert routes == [("prefetch", 0), *((route, step) for step in (1, 2, 3) for route in ("updates", "prefetch"))]
    for path, body in listening.calls:
        assert body["run"] == "r"
        if path.endswith("prefetch"):
            asked = [(each["question_id"], each["view"], each["prompt"]) for each in body["questions"]]
            assert asked == [(each.question_id, each.view, each.prompt) for each in questions(body["step"], config)]
    first, second = listening.weights[0], listening.weights[1]
    assert first.keys() == second.keys()
    assert any(not torch.equal(first[name], second[name]) for name in first), "the weights of each step are its own"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"r.step-{step}" for step in (2, 3)[-KEPT_VERSIONS:]]
