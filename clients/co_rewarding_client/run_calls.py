"""Define the calls about runs, cohorts and questions as flows, and what all calls share."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from co_rewarding_schema.vocabulary import QuestionSort, QuestionSortText

from co_rewarding_client import decoding, encoding
from co_rewarding_client.arguments import check_number, check_text
from co_rewarding_client.encoding import HttpRequest
from co_rewarding_client.errors import invalid
from co_rewarding_client.flow import Flow, Patience, Surroundings, T, answer, begin
from co_rewarding_client.model import RunSettings
from co_rewarding_client.unanswered import UnansweredKeys

COHORTS_AT_ONCE = 100
QUESTIONS_AT_ONCE = 500


class RunCalls:
    """The calls about runs, of the service at `url`. Each returns its flow, and is a method of both clients.

    Raises:
        InvalidRequest: a run or durations that are none.
    """

    def __init__(
        self, url: str, run: str, timeout_s: float, patience_s: float, surroundings: Surroundings | None = None
    ) -> None:
        check_text("run", run)
        check_number("timeout_s", timeout_s)
        check_number("patience_s", patience_s)
        if not timeout_s > 0.0:
            raise invalid(f"timeout_s is {timeout_s}; it must be more than 0")
        if not patience_s >= 0.0:
            raise invalid(f"patience_s is {patience_s}; it must be 0 (a single try) or more")
        self._url = url
        self._run_name = run
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._surroundings = surroundings or Surroundings()
        self._unanswered = UnansweredKeys(self._surroundings.new_key)

    def put_run(self, name: str, settings: RunSettings) -> Flow[Mapping[str, Any]]:
        """Make or change the run `name`, and return the run as the service then has it."""
        return (yield from self._answer(encoding.run_request(name, settings), dict[str, Any], 200, 201))

    def run(self, name: str) -> Flow[Mapping[str, Any]]:
        """Return the state of the run `name`, as the service tells it."""
        return (yield from self._answer(encoding.get(f"/v1/runs/{encoding.segment(name)}"), dict[str, Any]))

    def runs(self) -> Flow[tuple[Mapping[str, Any], ...]]:
        """Return all runs, as the service tells them, the latest used first.

        They come in pages of 500: one that is used while they are read may be missing.
        """
        return self._pages(decoding.RunsPage, lambda cursor, _: encoding.runs_request(cursor))

    def cohort(self, cohort_id: str) -> Flow[Mapping[str, Any]]:
        """Return why a reward is what it is: the ballots, classes, votes and label of a `Label.cohort`.

        Each ballot has its "voter" and, where that is a peer, the run that cast it as "peer".
        """
        return (yield from self._answer(encoding.get(f"/v1/cohorts/{encoding.segment(cohort_id)}"), dict[str, Any]))

    def cohorts(
        self, question_id: str, *, step: int | None = None, most: int = 100, run: str | None = None
    ) -> Flow[tuple[Mapping[str, Any], ...]]:
        """Return the cohorts of a question, open or settled, the latest first, `most` of them; without `step`, of any.

        Each has its "cohort", for `cohort`, and its "step", "attempt", "method", "state", "views" and "labels".
        """
        check_text("question_id", question_id)
        check_number("most", most)
        of_run = self._run(run)

        def page(cursor: str | None, left: int) -> HttpRequest:
            return encoding.cohorts_request(of_run, question_id, step, min(left, COHORTS_AT_ONCE), cursor)

        return self._pages(decoding.CohortsPage, page, most)

    def questions(
        self, *, sort: QuestionSortText = QuestionSort.FLIPS, most: int = 50, run: str | None = None
    ) -> Flow[tuple[Mapping[str, Any], ...]]:
        """Return the questions whose last labels are kept, `most` of them, those first that are most in doubt.

        That is by "flips", "disagreement" or "share". Each has its "question_id", these, and its "labels" by view.
        """
        check_text("sort", sort)
        check_number("most", most)
        of_run = self._run(run)

        def page(cursor: str | None, left: int) -> HttpRequest:
            return encoding.questions_request(of_run, sort, min(left, QUESTIONS_AT_ONCE), cursor)

        return self._pages(decoding.QuestionsPage, page, most)

    def series(self, run: str | None = None) -> Flow[tuple[Mapping[str, Any], ...]]:
        """Return the signs of a collapse in each of the run's latest steps, in the order of steps."""
        request = encoding.get(f"/v1/runs/{encoding.segment(self._run(run))}/series")
        return (yield from self._answer(request, decoding.Series)).steps

    def cohorts_page(
        self, cursor: str | None = None, *, most: int = COHORTS_AT_ONCE, run: str | None = None
    ) -> Flow[decoding.CohortsPage]:
        """Return a page of all cohorts of the run that are kept, whole: its `items`, and the `cursor` of the next page.

        The cursor is None on the last page; a page before it may be short, or empty.
        """
        check_number("most", most)
        return self._answer(encoding.run_cohorts_request(self._run(run), most, cursor), decoding.CohortsPage)

    def _run(self, run: str | None) -> str:
        if run is None:
            return self._run_name
        check_text("run", run)
        return run

    def _begin(self) -> Patience:
        return begin(self._timeout_s, self._patience_s, self._surroundings, self._url)

    def _answer(self, request: HttpRequest, kind: type[T], *expected: int) -> Flow[T]:
        return answer(request, self._begin(), kind, *expected)

    def _pages(
        self, kind: type[decoding.Page], request: Callable[[str | None, int], HttpRequest], most: int = sys.maxsize
    ) -> Flow[tuple[Mapping[str, Any], ...]]:
        """Read `most` items, page by page; `request` asks for the page at a cursor, knowing how many are left."""
        found: list[Mapping[str, Any]] = []
        cursor: str | None = None
        while True:
            page = yield from self._answer(request(cursor, most - len(found)), kind)
            found += page.items
            cursor = page.cursor
            if cursor is None or len(found) >= most:
                return tuple(found)
