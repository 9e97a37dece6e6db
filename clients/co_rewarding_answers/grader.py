"""Verify responses against a ground truth, and vote: from any thread, any process, and any event loop."""

import asyncio
import atexit
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, Self, TypeVar

from co_rewarding_schema.vocabulary import Conventions, Thinking

from co_rewarding_answers.judging import JudgeSettings, JudgeThread
from co_rewarding_answers.responses import DEFAULT_FORMATS, WHOLE, answer_of, truth_of
from reward_service.domain.answers.comparing import Proof
from reward_service.domain.answers.comparing import compare as proof_of
from reward_service.domain.answers.reading import read_answer
from reward_service.domain.answers.shapes import Reading
from reward_service.grading.symbolic import KEPT_CHARS, KEPT_READINGS
from reward_service.grading.verdicts import Classes, Matches, Verdict

__all__ = ["DEFAULT_FORMATS", "WHOLE", "AnswerGrader", "Vote"]

Result = TypeVar("Result")

_DECIDED = {Proof.SAME: Verdict.SAME, Proof.DIFFERENT: Verdict.DIFFERENT}


@dataclass(frozen=True, slots=True)
class Vote:
    """The result of a vote; it unpacks to the label and the counts.

    Attributes:
        label: the answer of the largest class, as its first response wrote it; None where no response has an answer.
        counts: the votes of each class, by the answer of its first response; the largest first.
        labels: the class of each response, in order; None for a response without an answer.
        undecided: comparisons that were left open, whose answers vote apart.
    """

    label: str | None
    counts: Mapping[str, int]
    labels: tuple[str | None, ...]
    undecided: int = 0

    def __iter__(self) -> Iterator[Any]:
        """Yield the label and the counts."""
        yield self.label
        yield self.counts


class AnswerGrader:
    """Grades answers, with a judge in processes that are killed when they use too much.

    Every method may be called from any thread. The judge starts with the first pair that needs it, ends with this
    process at the latest, and starts anew in a process that was forked.
    """

    def __init__(self, settings: JudgeSettings | None = None) -> None:
        """Start nothing yet."""
        self._settings = settings or JudgeSettings()
        self._threads: dict[int, JudgeThread] = {}
        self._locks: dict[int, threading.Lock] = {}  # by process: a lock may be held by another thread at a fork
        self._kept = lru_cache(KEPT_READINGS)(read_answer)

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle the settings: a grader that is sent to another process starts a judge there."""
        return type(self), (self._settings,)

    def __enter__(self) -> Self:
        """Return the grader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def start(self) -> None:
        """Start the judge, so that the first pair that needs it does not wait some seconds for its libraries."""
        self._thread()

    def compare(self, gold: str | float, answer: str | float, *, conventions: str = Conventions.LENIENT) -> Verdict:
        """Return whether two bare answers are equal."""
        question = self._question(truth_of(gold), str(answer).strip(), conventions)
        return question if isinstance(question, Verdict) else _verdict(_waited(question))

    def verify(
        self,
        gold: str | float,
        response: str,
        *,
        formats: Sequence[str] = DEFAULT_FORMATS,
        conventions: str = Conventions.LENIENT,
        thinking: str = Thinking.READ,
        end_tokens: Sequence[str] = (),
    ) -> Verdict:
        """Return whether the answer of a response equals the ground truth; DIFFERENT where it has none.

        Raises:
            ValueError: a format, the conventions or the choice about thinking has an unknown name.
        """
        question = self._asked(gold, response, formats, conventions, thinking, end_tokens)
        return question if isinstance(question, Verdict) else _verdict(_waited(question))

    async def averify(
        self,
        gold: str | float,
        response: str,
        *,
        formats: Sequence[str] = DEFAULT_FORMATS,
        conventions: str = Conventions.LENIENT,
        thinking: str = Thinking.READ,
        end_tokens: Sequence[str] = (),
    ) -> Verdict:
        """Do what `verify` does, and let the event loop go on while the judge works."""
        question = self._asked(gold, response, formats, conventions, thinking, end_tokens)
        return question if isinstance(question, Verdict) else _verdict(await asyncio.wrap_future(question))

    def vote(
        self,
        responses: Sequence[str],
        *,
        formats: Sequence[str] = DEFAULT_FORMATS,
        conventions: str = Conventions.LENIENT,
        thinking: str = Thinking.READ,
        end_tokens: Sequence[str] = (),
    ) -> Vote:
        """Elect the answer of the most responses. A tie goes to the class whose first response comes first.

        Raises:
            ValueError: a format, the conventions or the choice about thinking has an unknown name.
        """
        answers = [answer_of(response, formats, end_tokens, thinking) for response in responses]
        classes = self._classes(answers, conventions)
        return _elected(answers, classes if isinstance(classes, Classes) else _waited(classes))

    async def avote(
        self,
        responses: Sequence[str],
        *,
        formats: Sequence[str] = DEFAULT_FORMATS,
        conventions: str = Conventions.LENIENT,
        thinking: str = Thinking.READ,
        end_tokens: Sequence[str] = (),
    ) -> Vote:
        """Do what `vote` does, and let the event loop go on meanwhile."""
        answers = [answer_of(response, formats, end_tokens, thinking) for response in responses]
        classes = self._classes(answers, conventions)
        return _elected(answers, classes if isinstance(classes, Classes) else await asyncio.wrap_future(classes))

    def close(self) -> None:
        """End the judge of this process. A later call starts it again."""
        thread = self._threads.pop(os.getpid(), None)
        if thread is not None:
            atexit.unregister(self.close)
            thread.close()

    def _asked(
        self,
        gold: str | float,
        response: str,
        formats: Sequence[str],
        conventions: str,
        thinking: str,
        end_tokens: Sequence[str],
    ) -> "Verdict | Future[Matches]":
        answer = answer_of(response, formats, end_tokens, thinking)
        truth = truth_of(gold)
        if answer is None:
            whole = WHOLE in formats and Thinking(thinking) is not Thinking.NEVER
            return Verdict.SAME if whole and truth and response.strip() == truth else Verdict.DIFFERENT
        return self._question(truth, answer, conventions)

    def _question(self, truth: str, answer: str, conventions: str) -> "Verdict | Future[Matches]":
        """Return the verdict of canonical keys, or the judge's, which is under way."""
        chosen = Conventions(conventions)
        if not truth or not answer:
            return Verdict.DIFFERENT
        proved = _DECIDED.get(proof_of(self._read(truth, chosen), self._read(answer, chosen)))
        if proved is not None:
            return proved
        thread = self._thread()
        return thread.start(thread.grader.match(truth, [answer], chosen))

    def _classes(self, answers: Sequence[str | None], conventions: str) -> "Classes | Future[Classes]":
        """Return the classes by canonical keys where those say all, or the grader's, which are under way."""
        chosen = Conventions(conventions)
        cast = {answer for answer in answers if answer is not None}
        if all(len(answer) <= KEPT_CHARS for answer in cast):
            readings = [self._read(answer, chosen) for answer in cast]
            if len(readings) <= 1 or all(reading.is_certain for reading in readings):
                return Classes({reading.text: reading.meanings[0].key for reading in readings})
        thread = self._thread()
        return thread.start(thread.grader.classify(cast, chosen))

    def _read(self, answer: str, conventions: Conventions) -> Reading:
        return self._kept(answer, conventions) if len(answer) <= KEPT_CHARS else read_answer(answer, conventions)

    def _thread(self) -> JudgeThread:
        """Return the thread of this process, started if need be."""
        process = os.getpid()
        thread = self._threads.get(process)
        if thread is not None and thread.is_alive:
            return thread
        with self._locks.setdefault(process, threading.Lock()):
            thread = self._threads.get(process)
            if thread is None or not thread.is_alive:
                thread = self._threads[process] = JudgeThread(self._settings)
                atexit.register(self.close)
        return thread


def _waited(question: "Future[Result]") -> Result:
    try:
        return question.result()
    except BaseException:  # interrupted, as by Ctrl-C: nobody waits for it any more
        question.cancel()
        raise


def _verdict(matches: Matches) -> Verdict:
    if matches.equal:
        return Verdict.SAME
    return Verdict.UNDECIDED if matches.undecided else Verdict.DIFFERENT


def _elected(answers: Sequence[str | None], classes: Classes) -> Vote:
    first: dict[str, str] = {}
    labels = tuple(None if answer is None else first.setdefault(classes.class_of[answer], answer) for answer in answers)
    counts = dict(Counter(label for label in labels if label is not None).most_common())
    return Vote(next(iter(counts), None), counts, labels, classes.undecided)
