"""Questions for paraphrase jobs, and how jobs are made and read."""

import json
from io import BytesIO
from typing import Any
from uuid import uuid4

import httpx
import pyarrow as pa
from pyarrow.parquet import write_table

from tests.support.scripted_rewriter import apples
from tests.support.waiting import wait_until

JOBS = "/v1/paraphrases/jobs"


def questions(of: int, prefix: str = "") -> list[dict[str, Any]]:
    """Questions that no other test has asked."""
    prefix = prefix or uuid4().hex[:6]
    return [
        {"question_id": f"{prefix}/{n}", "question": apples(n + 10), "ground_truth": str(3 * (n + 10))}
        for n in range(of)
    ]


def rows(of: int) -> list[dict[str, Any]]:
    """The same with other columns, as a data set has them."""
    return [
        {**row, "level": f"Level {n % 5}", "points": n, "share": n / 2, "hard": n % 2 == 0, "tags": ["a", n]}
        for n, row in enumerate(questions(of))
    ]


def as_lines(some: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in some)


def as_parquet(some: list[dict[str, Any]]) -> bytes:
    file = BytesIO()
    write_table(pa.Table.from_pylist([{**row, "tags": json.dumps(row["tags"])} for row in some]), file)
    return file.getvalue()


def made(answer: httpx.Response) -> str:
    assert answer.status_code == 202, answer.text
    return answer.json()["job"]


def done(client: httpx.Client, job: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        document = client.get(f"{JOBS}/{job}").json()
        return document if document["state"] == "done" else None

    found = wait_until(look)
    assert found is not None
    return found


def results(client: httpx.Client, job: str, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(f"{JOBS}/{job}/results", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]
