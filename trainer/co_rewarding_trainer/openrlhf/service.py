"""Send the requests of a training run before the start, with the client's own core."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from co_rewarding_client import NotFound, RunSettings, Surroundings, address
from co_rewarding_client.decoding import document, problem
from co_rewarding_client.driving import RetryLog, drive
from co_rewarding_client.encoding import HttpRequest, encoded, get, run_request, segment
from co_rewarding_client.flow import begin, exchange
from co_rewarding_client.transport import Connection, Transport

from co_rewarding_trainer.openrlhf.recipe import Recipe
from co_rewarding_trainer.openrlhf.sources import SourceQuestion

PARAPHRASES_ROUTE = "/v1/paraphrases"
TEACHER_ROUTE = "/v1/teacher/updates"
TIMEOUT_S = 10.0
PATIENCE_S = 5.0
PARAPHRASING_S = 600.0
"""A large model may have to be loaded first."""


class CheckedService:
    """The service at a URL, or at several URLs of its replicas. To be closed after use.

    Every call raises the client's errors: ServiceUnavailable, ProblemError, ProtocolError.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        patience_s: float = PATIENCE_S,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Takes a limit on the tries of a call, `patience_s`. `transport`, which is httpx's, and `sleep` are for tests.

        Raises InvalidRequest if `url` is not a URL.
        """
        where = address.parse(url, api_key)
        self.url = where.url
        self._connection = Connection(where, TIMEOUT_S, transport)
        self._patience_s = patience_s
        self._sleep = sleep
        self._surroundings = Surroundings()
        self._retry_log = RetryLog(self._surroundings.clock_s)

    def version(self) -> Mapping[str, Any]:
        """Asks for the versions of service and contract, and for the methods."""
        return self._asked(get("/version"))

    def routes(self) -> frozenset[str]:
        """Asks for the routes, by the OpenAPI document: a release without a teacher has no route for one."""
        return frozenset(self._asked(get("/openapi.json")).get("paths", {}))

    def run(self, name: str) -> Mapping[str, Any] | None:
        """Asks for the run of that name; None if there is none."""
        try:
            return self._asked(get(f"/v1/runs/{segment(name)}"))
        except NotFound:
            return None

    def put_run(self, name: str, settings: RunSettings) -> Mapping[str, Any]:
        """Makes or changes a run, and returns the run as the service then has it."""
        return self._asked(run_request(name, settings))

    def paraphrases(self, run: str, questions: Sequence[SourceQuestion]) -> dict[str, str]:
        """Asks for paraphrases, and returns those that were accepted, by question_id.

        No ground truth is sent along: a paraphrase must not know the answer.
        """
        asked = [{"question_id": each.question_id, "question": each.question} for each in questions]
        body = encoded({"run": run, "questions": asked})
        request = HttpRequest(
            "POST", PARAPHRASES_ROUTE, {"content-type": "application/json"}, body, wait_s=PARAPHRASING_S
        )
        answer = self._asked(request, patience_s=PARAPHRASING_S)
        rows = answer.get("paraphrases", [])
        return {row["question_id"]: row["paraphrase"] for row in rows if row.get("accepted") and row.get("paraphrase")}

    def close(self) -> None:
        """Closes the connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(self, request: HttpRequest, patience_s: float | None = None) -> Mapping[str, Any]:
        patience = begin(
            TIMEOUT_S, self._patience_s if patience_s is None else patience_s, self._surroundings, self.url
        )
        reply = drive(exchange(request, patience), self._connection.perform, self._sleep, self._retry_log)
        if reply.status not in {200, 201}:
            raise problem(reply, request)
        return document(reply, request)


def run_settings(recipe: Recipe, questions: int | None = None) -> RunSettings:
    """Return the settings under which the run is registered.

    Where the recipe says nothing, `total_steps` follows from the questions, and the teacher samples as the policy does.
    The rest is the service's default.
    """
    chosen = recipe.run.chosen_settings()
    if questions is not None:
        chosen.setdefault("total_steps", max(1, recipe.total_steps(questions)))
    if recipe.method.needs_teacher:
        sampling = recipe.sampling
        chosen.setdefault("teacher_temperature", sampling.temperature)
        chosen.setdefault("teacher_top_p", sampling.top_p)
        chosen.setdefault("teacher_max_tokens", sampling.response_max_tokens)
    return RunSettings(**chosen)
