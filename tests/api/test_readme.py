"""The README's example says what the service says."""

import json
from pathlib import Path

import httpx

README = Path(__file__).parents[2] / "README.md"


def test_the_curl_example_is_real(client: httpx.Client) -> None:
    example = README.read_text().split("```console\n")[1].split("```")[0]
    sent, shown = example.split("-d '")[1].split("'\n")
    answer = client.post("/v1/rewards", content=sent)
    assert answer.text == shown.strip()
    cohort = answer.json()["labels"][0]["cohort"]
    assert f"GET /v1/cohorts/{cohort}" in README.read_text()
    assert client.get(f"/v1/cohorts/{cohort}").json()["state"] == "settled"
    assert len(json.loads(sent)["rollouts"]) == 4
