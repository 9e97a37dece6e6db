"""The grader where it works: in several workers, on both kinds of server, beside answers that mean harm."""

import json
import os
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from reward_service.serving.supervisor import Supervisor
from tests.support.servers import server
from tests.support.service import running
from tests.support.waiting import wait_until

RHO = Path(__file__).parents[3] / "shared" / "data" / "rollouts_rho_math500x4.jsonl"
GROUPS = [
    ["0.5", r"\frac12", r"50\%", "50", r"\dfrac{1}{2}", "1/2", "2", None],
    ["12", r"12\text{ cm}", r"12\text{ m}", "12.0", r"12\text{ cm}", r"1200\text{ cm}", "x=12", "y=12"],
    [r"\{1,2\}", "2,1", "1, 2", "(1,2)", r"1\text{ or }2", "[1,2]", "(2,1)", "1"],
    [
        r"\sin^2 x+\cos^2 x",
        "1",
        r"\cos\frac{\pi}{7}\cos\frac{2\pi}{7}\cos\frac{4\pi}{7}",
        r"-\frac18",
        "-0.125",
        "x",
        "y",
        "",
    ],
    ["A", "(A)", r"\text{A}", "(A) 12", "12", "B", "a", r"\textbf{(A)}"],
]
HARMFUL = [
    r"9^{9^{9^{9}}}", r"(10!)!", "(" * 24 + "x" + ")" * 24, r"\sum_{k=1}^{10000000} \frac{1}{k^2}", "{" * 3000,
    r"\lfloor e^{10^6} \rfloor", "1" * 4000, r"\sqrt{2+" * 400,
    r"7^{123456789}", "x\u0000y", r"\frac{1}{0}", "1" * 2000 + " " * 2000 + "_",
]  # fmt: skip


@pytest.fixture(scope="module", params=["embedded", "redis"])
def service(request: pytest.FixtureRequest) -> Iterator[Supervisor]:
    """Two workers over each kind of server."""
    if request.param == "embedded":
        with running(workers=2) as at:
            yield at
        return
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("no redis-server here")
    with server(binary) as url, running(workers=2, redis_url=url) as at:
        yield at


def rollouts(question: str, answers: list[str | None]) -> list[dict[str, object]]:
    return [
        {
            "question_id": question,
            "rollout": index,
            "response": "nothing" if answer is None else f"So \\boxed{{{answer}}}",
        }
        for index, answer in enumerate(answers)
    ]


def partition(client: httpx.Client, cohort: str) -> set[frozenset[int]]:
    classes: dict[str, set[int]] = {}
    for ballot in client.get(f"/v1/cohorts/{cohort}").json()["ballots"]:
        if ballot["answer_class"] is not None:
            classes.setdefault(ballot["answer_class"], set()).add(ballot["rollout"])
    return {frozenset(members) for members in classes.values()}


def real_groups() -> list[list[str | None]]:
    """The answers of four models to some questions, with the right one."""
    if not RHO.exists():
        return []
    rows = [json.loads(row) for row in RHO.read_text().splitlines()[:200:8]]
    return [[*(rollout["answer"] or None for rollout in row["rollouts"]), row["gold"]] for row in rows]


def test_classes_do_not_depend_on_order_or_on_requests(service: Supervisor):
    chance = random.Random(7)
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for number, answers in enumerate(GROUPS + real_groups()):
            run = f"g{number}"
            client.put(f"/v1/runs/{run}", json={"method": "majority-voting", "group_size": len(answers)})
            sent = rollouts("q", answers)
            whole = client.post("/v1/rewards", json={"run": run, "rollouts": sent}).json()
            shuffled = chance.sample(sent, len(sent))
            tickets = [
                client.post(
                    "/v1/rollouts",
                    json={"run": run, "step": 1, "complete": False, "rollouts": shuffled[start::3]},
                ).json()["ticket"]
                for start in range(3)
            ]
            parts = [client.get(f"/v1/rewards/{ticket}?wait_s=30").json() for ticket in tickets]
            rewards = {
                rollout["rollout"]: reward
                for start, part in enumerate(parts)
                for rollout, reward in zip(shuffled[start::3], part["rewards"], strict=True)
            }
            assert [rewards[index] for index in range(len(sent))] == whole["rewards"], answers
            if whole["labels"]:
                cohorts = whole["labels"][0]["cohort"], parts[0]["labels"][0]["cohort"]
                assert partition(client, cohorts[0]) == partition(client, cohorts[1]), answers


@pytest.mark.parametrize("harmful", HARMFUL, ids=lambda text: text[:12])
def test_a_harmful_answer_costs_nobody_else_anything(service: Supervisor, harmful: str):
    answers = ["7", harmful, "14/2", "7.0", "8"]
    with httpx.Client(base_url=service.url, timeout=30) as client:
        answer = client.post("/v1/rewards", json={"method": "majority-voting", "rollouts": rollouts("h", answers)})
        assert answer.status_code == 200, answer.text
        assert answer.json()["rewards"] == [1.0, 0.0, 1.0, 1.0, 0.0]


def test_what_was_left_undecided_is_among_the_metrics(service: Supervisor):
    def undecided() -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(
            float(line.split()[1]) for line in lines if line.startswith("co_rewarding_comparisons_undecided_total")
        )

    with httpx.Client(base_url=service.url, timeout=30) as client:
        before = undecided()
        body = {"method": "majority-voting", "rollouts": rollouts("u", [r"\sum_{n} f(n)", "1", "1"])}
        assert client.post("/v1/rewards", json=body).json()["metrics"]["undecided"] == 1
        wait_until(lambda: undecided() >= before + 1)  # what earlier tests left may be counted a moment later


def test_a_ground_truth_is_compared_with_each_answer_by_itself(service: Supervisor):
    sent = rollouts("t", [r"12\text{ cm}", r"12\text{ m}", "12", "13"])
    for rollout in sent:
        rollout["ground_truth"] = "12"
    with httpx.Client(base_url=service.url, timeout=30) as client:
        rewards = client.post("/v1/rewards", json={"method": "ground-truth", "rollouts": sent}).json()["rewards"]
    assert rewards == [1.0, 1.0, 1.0, 0.0]


def test_judges_die_with_their_worker_and_come_back_with_the_next(service: Supervisor):
    def judges() -> list[psutil.Process]:
        return [process for pid in service.pids("worker") for process in psutil.Process(pid).children(recursive=True)]

    body = {"method": "majority-voting", "rollouts": rollouts("j", [r"\cos\frac{\pi}{5}", r"\frac{1+\sqrt5}{4}"])}
    with httpx.Client(base_url=service.url, timeout=60) as client:
        assert client.post("/v1/rewards", json=body).json()["rewards"] == [1.0, 1.0]
        left = judges()
        assert left
        for pid in service.pids("worker"):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(process.is_running() for process in left))
        body["rollouts"] = rollouts("j2", [r"\cos\frac{\pi}{5}", r"\frac{1+\sqrt5}{4}", r"\frac{\sqrt5+1}4"])
        assert client.post("/v1/rewards", json=body).json()["rewards"] == [1.0, 1.0, 1.0]


def test_a_flood_of_hard_questions_holds_up_no_other_run(service: Supervisor):
    def hard(number: int) -> dict[str, object]:
        answers: list[str | None] = [
            rf"\sum_{{n=1}}^{{\infty}}\frac{{1}}{{n^3+{4 * number + index}}}" for index in range(4)
        ]
        return {"run": "flood", "method": "majority-voting", "rollouts": rollouts(f"f{number}", answers)}

    with httpx.Client(base_url=service.url, timeout=60) as client:
        for run in ("flood", "calm"):
            client.put(f"/v1/runs/{run}", json={"method": "majority-voting"})
        tickets = [client.post("/v1/rollouts", json=hard(number)).json()["ticket"] for number in range(24)]
        calm = {"run": "calm", "method": "majority-voting", "wait_s": 2, "rollouts": rollouts("c", ["1", "2", "1"])}
        answer = client.post("/v1/rewards", json=calm)
        assert (answer.status_code, answer.json()["rewards"]) == (200, [1.0, 0.0, 1.0])
        for ticket in tickets:
            assert client.get(f"/v1/rewards/{ticket}?wait_s=50").status_code == 200
