"""An audit line for each request that changes state, with the key's name: no key, no text, and none for rewards."""

import json
import re
from pathlib import Path
from typing import Any

import httpx

from tests.access.keys_files import bearer, entry, key_of, written
from tests.api.paraphrase_jobs import questions
from tests.support.service import pair
from tests.support.started import CLI, started
from tests.support.waiting import wait_until

SECRET = "a text that nobody is to read in a log"
EVERY = ["read", "score", "teach", "admin"]


def audits(said: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in said.splitlines() if '"audit"' in line]
    return [line for line in lines if line.get("logger") == "audit"]


def test_what_changes_state_is_noted_with_who_did_it(tmp_path: Path) -> None:
    keys = written(tmp_path / "keys.toml", entry("alice", EVERY, ["a."]), entry("reader", ["read"]))
    command = [*CLI, "serve", "--port", "0", "--api-keys-file", str(keys)]
    with started(command, CO_REWARDING_LOG_JSON="true") as one:
        wait_until(lambda: "worker ready" in one.said, 60.0)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", one.said)
        assert found is not None
        wait_until(lambda: reached(found[0]), 60.0, every_s=0.1)
        with httpx.Client(base_url=found[0], headers=bearer("alice"), timeout=30.0) as client:
            settings = {"method": "majority-voting", "group_size": 2}
            client.put("/v1/runs/a.x", json=settings).raise_for_status()
            assert client.put("/v1/runs/b.x", json=settings).status_code == 403
            assert client.put("/v1/runs/a.x", json=settings, headers=bearer("reader")).status_code == 403
            assert client.put("/v1/runs/a.x", json=settings, headers=bearer("stranger")).status_code == 403
            rollouts = pair(SECRET, ["1"], ["1"])
            client.post("/v1/rewards", json={"run": "a.x", "rollouts": rollouts, "wait_s": 20}).raise_for_status()
            asked = {"run": "a.x", "questions": [{**questions(1)[0], "question": SECRET}], "prompts": ["reword"]}
            job = client.post("/v1/paraphrases/jobs", json=asked).raise_for_status().json()["job"]
            client.post(f"/v1/paraphrases/jobs/{job}/cancel").raise_for_status()
            client.delete(f"/v1/paraphrases/jobs/{job}").raise_for_status()
            assert client.delete(f"/v1/runs/a.x/quarantine/{SECRET}").status_code == 404
            assert client.put(f"/v1/runs/{SECRET}", json=settings).status_code == 403
            assert client.post(f"/v1/paraphrases/jobs/{SECRET}/pause").status_code == 422
            assert client.delete(f"/v1/teacher/uploads/{SECRET}").status_code == 501
            client.get("/v1/runs").raise_for_status()
        wait_until(lambda: len(audits(one.said)) >= 10)
        lines = audits(one.said)
        told = [(line["key"], line["run"], line["route"], line["outcome"], line.get("job")) for line in lines]
        jobs = "/v1/paraphrases/jobs"
        assert told == [
            ("alice", "a.x", "PUT /v1/runs/{run}", "done", None),
            ("alice", "b.x", "PUT /v1/runs/{run}", "refused", None),
            ("reader", None, "PUT /v1/runs/{run}", "refused", None),
            ("alice", "a.x", f"POST {jobs}", "done", None),
            ("alice", "a.x", f"POST {jobs}/{{job}}/cancel", "done", job),
            ("alice", "a.x", f"DELETE {jobs}/{{job}}", "done", job),
            ("alice", "a.x", "DELETE /v1/runs/{run}/quarantine/{question_id:path}", "refused", None),
            ("alice", None, "PUT /v1/runs/{run}", "refused", None),
            ("alice", None, f"POST {jobs}/{{job}}/pause", "refused", None),
            ("alice", None, "DELETE /v1/teacher/uploads/{upload}", "failed", None),
        ]
        assert all(line["what"] and line["event"] == "audit" and line["level"] == "info" for line in lines)
        for secret in (SECRET, key_of("alice"), key_of("reader"), key_of("stranger")):
            assert secret not in one.said


def reached(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready").status_code == 200
    except httpx.TransportError:
        return False
