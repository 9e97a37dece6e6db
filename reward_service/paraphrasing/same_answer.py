"""The dearest check: a model answers x and x′, and the answers to x′ must come out as the majority of those to x."""

from collections.abc import Sequence

from co_rewarding_schema.vocabulary import View, Voter

from reward_service.domain.answers.conventions import Conventions
from reward_service.domain.extraction import Extractor
from reward_service.domain.types import Ballot
from reward_service.domain.voting import elect
from reward_service.generation.asking import question_prompt
from reward_service.generation.generator import Generator, Sampling
from reward_service.grading.grader import Grader


class Answerer:
    """Draws a model's answers to a question and compares them as the service compares the answers of rollouts."""

    def __init__(self, generator: Generator, grader: Grader, extract: Extractor, conventions: Conventions) -> None:
        """Answers are read by `extract`, and graded under the conventions."""
        self._generator = generator
        self._grader = grader
        self._extract = extract
        self._conventions = conventions

    async def answers(self, question: str, sampling: Sampling) -> list[str | None]:
        """The n answers, None where a response holds none. Raises what `Generator.generate` raises."""
        generated = await self._generator.generate(question_prompt(question), sampling)
        return [self._extract(text) for text in generated.texts_n]

    async def majority(self, answers_n: Sequence[str | None]) -> str | None:
        """The answer that the election of the service's labels gives; None if there is not one answer."""
        found = sorted({answer for answer in answers_n if answer is not None})
        classes = (await self._grader.classify(found, self._conventions)).class_of
        winner = elect(
            Ballot(View.ORIGINAL, Voter.POLICY, place, answer, None if answer is None else classes[answer])
            for place, answer in enumerate(answers_n)
        )
        return None if winner is None else winner.answer

    async def agreement(self, answer: str, answers_n: Sequence[str | None]) -> float:
        """The share, in [0, 1], of answers that equal `answer`; a response without one agrees with nothing."""
        found = sorted({each for each in answers_n if each is not None})
        equal = (await self._grader.match(answer, found, self._conventions)).equal
        return sum(each in equal for each in answers_n) / len(answers_n)
