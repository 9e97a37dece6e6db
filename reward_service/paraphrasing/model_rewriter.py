"""Rewrite questions with a language model: draw rounds of candidates, read and check each, compare answers."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from co_rewarding_schema.vocabulary import AnswerFormat, Conventions, View, Voter

from reward_service.domain.cohort import Ballot
from reward_service.domain.elections import elect
from reward_service.domain.extraction import Extractor, extractor
from reward_service.domain.paraphrases.policy import review
from reward_service.domain.paraphrases.reading import pair_of
from reward_service.domain.paraphrases.rewriting import Candidate, Fallback, Fate, Outcome, Question, RewritingRecipe
from reward_service.errors import SettingsError
from reward_service.generation.generator import Backend, GenerationError, Generator, Sampling, question_prompt
from reward_service.generation.opening import open_generator
from reward_service.grading.judge import Judge
from reward_service.grading.judge_process import JudgeLimits
from reward_service.grading.symbolic import SymbolicGrader
from reward_service.grading.verdicts import Grader
from reward_service.paraphrasing.prompts import Found, instruction_named, marked_text, rewriting_prompt
from reward_service.paraphrasing.rewriter import GivenTexts, RewritingError

_JUDGE_CPU_S = 0.4
"""For one comparison, as in a worker."""
_SEED_BITS = 31


class Answerer:
    """Draws a model's answers to a question and compares them as the service compares the answers of rollouts."""

    def __init__(self, generator: Generator, grader: Grader, extract: Extractor, conventions: Conventions) -> None:
        """Read answers by `extract`, and grade them under the conventions."""
        self._generator = generator
        self._grader = grader
        self._extract = extract
        self._conventions = conventions

    async def answers(self, question: str, sampling: Sampling) -> list[str | None]:
        """Return n answers, None where a response holds none. Raises what `Generator.generate` raises."""
        generated = await self._generator.generate(question_prompt(question), sampling)
        return [self._extract(text) for text in generated.texts_n]

    async def majority(self, answers_n: Sequence[str | None]) -> str | None:
        """Elect an answer as the service's labels are elected; None if there is not one answer."""
        found = sorted({answer for answer in answers_n if answer is not None})
        classes = (await self._grader.classify(found, self._conventions)).class_of
        winner = elect(
            [
                Ballot(View.ORIGINAL, Voter.POLICY, place, answer, None if answer is None else classes[answer])
                for place, answer in enumerate(answers_n)
            ]
        )
        return None if winner is None else winner.answer

    async def agreement(self, answer: str, answers_n: Sequence[str | None]) -> float:
        """Return the share, in [0, 1], of answers that equal `answer`; a response without one agrees with nothing."""
        found = sorted({each for each in answers_n if each is not None})
        equal = (await self._grader.match(answer, found, self._conventions)).equal
        return sum(each in equal for each in answers_n) / len(answers_n)


class Similarity(Protocol):
    """Tells how near a paraphrase is to its original."""

    async def of(self, original: str, paraphrase: str) -> float:
        """Return the cosine of the texts' embeddings, in [-1, 1]: 1 for the same text."""
        ...


class EmbeddingSimilarity:
    """Compares by a model of the package sentence-transformers: a folder, or a name on the Hugging Face hub."""

    def __init__(self, model: str) -> None:
        """Load the model, which takes seconds.

        Raises:
            SettingsError: the package is not installed, or there is no such model.
        """
        try:
            from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]
        except ModuleNotFoundError as cause:
            raise SettingsError(f"{cause.name} is not installed: pip install sentence-transformers") from cause
        try:
            self._model = SentenceTransformer(model)
        except (OSError, ValueError) as cause:
            raise SettingsError(f"{model}: no embedding model can be loaded from it: {cause}") from cause
        self._one_at_a_time = asyncio.Lock()

    async def of(self, original: str, paraphrase: str) -> float:
        """Return the cosine of the texts' embeddings."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._cosine, original, paraphrase)

    def _cosine(self, original: str, paraphrase: str) -> float:
        one, other = self._model.encode([original, paraphrase], normalize_embeddings=True, show_progress_bar=False)
        return float(one @ other)


class ModelRewriter:
    """See `Rewriter`. One model writes; it answers too, unless another one is given for that."""

    def __init__(
        self, generator: Generator, *, answerer: Answerer | None = None, similarity: Similarity | None = None
    ) -> None:
        """Without an answerer, the generator's answers are compared by their keys alone: no judge is asked."""
        self.name = generator.name
        self.capacity = generator.capacity
        self._generator = generator
        self._answerer = answerer or answerer_of(generator, SymbolicGrader())
        self._similarity = similarity

    async def rewrite(self, question: Question, recipe: RewritingRecipe, given: GivenTexts | None = None) -> Outcome:
        """See `Rewriter.rewrite`.

        All candidates of a round are judged. Of the accepted ones that is taken whose answers agree most, and of
        equals the first; of those whose text is no other question's.

        Raises:
            RewritingError: the recipe names a prompt that does not exist, or needs an embedding model that is not here.
        """
        if recipe.least_similarity is not None and self._similarity is None:
            raise RewritingError("least_similarity is set, but there is no embedding model: name one, or take it out")
        drawing = _Drawing(self._generator, self._answerer, self._similarity, question, recipe)
        error = paraphrase = None
        try:
            paraphrase = await drawing.taken(given)
        except GenerationError as cause:
            error = str(cause)
        if error is not None:
            fate = Fate.FAILED
        elif paraphrase is not None:
            fate = Fate.REWRITTEN
        elif recipe.fallback is Fallback.SAME_AGAIN:
            fate, paraphrase = Fate.PASSED_THROUGH, question.question
        else:
            fate = Fate.LEFT_OUT
        return Outcome(question.question_id, fate, paraphrase, tuple(drawing.candidates), error)


class _Drawing:
    """The rounds of one question. Its answers are drawn once, when the first candidate needs them."""

    def __init__(
        self,
        generator: Generator,
        answerer: Answerer,
        similarity: Similarity | None,
        question: Question,
        recipe: RewritingRecipe,
    ) -> None:
        self._generator = generator
        self._answerer = answerer
        self._similarity = similarity
        self._question = question
        self._recipe = recipe
        self._majority: tuple[str | None] | None = None
        self.candidates: list[Candidate] = []
        """In the order they were drawn; there also after an error."""

    async def taken(self, given: GivenTexts | None) -> str | None:
        """The paraphrase of the first round that gives one, if any does."""
        for place, prompt in enumerate(self._recipe.prompts):
            await self._round(place, prompt)
            accepted = [index for index, each in enumerate(self.candidates) if each.accepted]
            for index in sorted(accepted, key=lambda index: -(self.candidates[index].same_answer or 0.0)):
                text = self.candidates[index].text
                if given is None or await given.claim(text, self._question.question):
                    return text
                self.candidates[index] = replace(self.candidates[index], accepted=False, given_out=True)
        return None

    async def _round(self, place: int, prompt: str) -> None:
        instruction = instruction_named(prompt)
        question = self._question.question
        sampling = self._sampling(self._recipe.candidates, "candidates", place)
        drawn = await self._generator.generate(rewriting_prompt(instruction, question), sampling)
        for index, response in enumerate(drawn.texts_n):
            found = marked_text(response, instruction.markers, question)
            self.candidates.append(await self._judged(prompt, found, "answers", place, index))

    async def _judged(self, prompt: str, found: Found, *drawn: object) -> Candidate:
        """Cheap first: nothing dear is asked of what is rejected already."""
        question, recipe = self._question, self._recipe
        text, marked = found
        said = review(pair_of(question.question, text, question.ground_truth), recipe.policy)
        if not (said.accepted and (marked or recipe.unmarked)):
            return Candidate(prompt, text, said, marked=marked)
        near = await self._similarity.of(question.question, text) if self._similarity is not None else None
        if near is not None and recipe.least_similarity is not None and near < recipe.least_similarity:
            return Candidate(prompt, text, said, similarity=near, marked=marked)
        asked = recipe.answers and said.doubt >= recipe.doubtful
        agreed = await self._agreement(text, *drawn) if asked else None
        accepted = agreed is None or agreed >= recipe.least_agreement
        return Candidate(prompt, text, said, agreed, near, accepted, marked)

    async def _agreement(self, text: str, *drawn: object) -> float:
        """The share of the answers to x′ that equal the majority answer to x: 0 where x has none."""
        if self._majority is None:
            answers_n = await self._answers(self._question.question, "answers")
            self._majority = (await self._answerer.majority(answers_n),)
        (majority,) = self._majority
        if majority is None:
            return 0.0
        return await self._answerer.agreement(majority, await self._answers(text, *drawn))

    async def _answers(self, text: str, *drawn: object) -> list[str | None]:
        return await self._answerer.answers(text, self._sampling(self._recipe.answers, *drawn))

    def _sampling(self, n: int, *drawn: object) -> Sampling:
        recipe = self._recipe
        return Sampling(
            n=n,
            temperature=recipe.temperature,
            top_p=recipe.top_p,
            max_tokens=recipe.max_tokens,
            seed=seed_of(recipe.seed, self._question.question_id, *drawn),
            thinking=False,
        )


def seed_of(seed: int, question_id: str, *drawn: object) -> int:
    """The seed of one draw, in [0, 2³¹): a hash, so that neither neighbouring questions nor rounds share anything."""
    digest = hashlib.blake2b(json.dumps([seed, question_id, *drawn]).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> (64 - _SEED_BITS)


def answerer_of(generator: Generator, grader: SymbolicGrader) -> Answerer:
    """Reads and compares answers as runs do by default: boxed, under lenient conventions."""
    return Answerer(generator, grader, extractor((AnswerFormat.BOXED,)), Conventions.LENIENT)


@contextlib.asynccontextmanager
async def open_rewriter(
    model: str,
    *,
    backend: str = Backend.AUTO,
    capacity: int | None = None,
    api_key: str | None = None,
    answers: bool = False,
    embeddings: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> AsyncIterator[ModelRewriter]:
    """A rewriter by a model as `open_generator` names it, closed with the context.

    With `answers`, a judge is started for the answers that keys do not settle. `embeddings` names a model of
    sentence-transformers.

    Raises:
        SettingsError: there is no such model or backend, or an extra has to be installed.
        GeneratorUnavailableError: the server at the URL is away.
    """
    similarity = EmbeddingSimilarity(embeddings) if embeddings is not None else None
    async with contextlib.AsyncExitStack() as stack:
        opening = open_generator(model, backend=backend, capacity=capacity, api_key=api_key, more=more)
        generator = await stack.enter_async_context(opening)
        judge = await stack.enter_async_context(Judge(limits=JudgeLimits(cpu_s=_JUDGE_CPU_S))) if answers else None
        yield ModelRewriter(generator, answerer=answerer_of(generator, SymbolicGrader(judge)), similarity=similarity)
