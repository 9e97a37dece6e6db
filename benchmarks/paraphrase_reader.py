"""Measure what a second reader costs and finds: `python -m benchmarks.paraphrase_reader`.

The real rewriter compares answers, as with `--answers`. A stand-in takes the model's place, with stated error rates: it
solves a question in a share `right` of its responses, and a fault moves the answer in a share `moved` of the faulty
paraphrases. Wrong answers are a few for each question, as those of a model are. No model was asked, so the table tells
what a model of such rates would find, and how often it would be asked.
"""

import argparse
import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.paraphrase_exam import DROPPED, FAULTS, GOOD, Exam, exam_of
from benchmarks.paraphrase_pairs import MATH, SHARED
from reward_service.domain.paraphrases.rewriting import Candidate, Question, RewritingRecipe
from reward_service.generation.generator import FixedWeightsError, Generated, Prompt, Sampling
from reward_service.paraphrasing.model_rewriter import ModelRewriter
from reward_service.paraphrasing.prompts import INSTRUCTIONS, instruction_named

PROMPT = "reword"

REAL = "real pairs"
DOUBTFUL = (1.0, 0.3, 0.2, 0.1, 0.05, 0.0)
SEED = 20251130
WRONG_ANSWERS = 3


@dataclass(frozen=True, slots=True)
class Rates:
    """How good the stand-in is: the share of right responses, and of faults that move the answer."""

    right: float
    moved: float


class StandIn:
    """A generator in a model's place that knows one pair: it writes the paraphrase, and answers both questions."""

    name = "a stand-in"
    capacity = 1

    def __init__(self, question: str, paraphrase: str, rates: Rates, *, faulty: bool) -> None:
        """Decide by the texts whether the fault moves the answer."""
        self._question = question
        self._paraphrase = paraphrase
        self._right = rates.right
        self._moved = faulty and random.Random(f"{SEED} {question} {paraphrase}").random() < rates.moved

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generated:
        """Write the paraphrase, or draw answers by the seed."""
        asked = prompt.messages[-1].content
        if asked.startswith(INSTRUCTIONS[PROMPT].text):
            markers = instruction_named(PROMPT).markers
            return Generated((f"{markers.begin}\n{self._paraphrase}\n{markers.end}",) * sampling.n, sampling.n)
        right = 100 if asked != self._question and self._moved else 10
        draws = [random.Random(f"{sampling.response_seed(index)}") for index in range(sampling.n)]
        answers = [right if draw.random() < self._right else right + draw.randint(1, WRONG_ANSWERS) for draw in draws]
        return Generated(tuple(f"\\boxed{{{answer}}}" for answer in answers), sampling.n)

    async def load(self, weights: Path | None) -> None:
        """Refuse: there are no weights."""
        raise FixedWeightsError("a stand-in has no weights")

    async def close(self) -> None:
        """Let nothing go."""


async def candidate_of(
    question: Question, paraphrase: str, recipe: RewritingRecipe, rates: Rates, *, faulty: bool
) -> Candidate:
    """Let the real rewriter judge a pair as a candidate."""
    generator = StandIn(question.question, paraphrase, rates, faulty=faulty)
    outcome = await ModelRewriter(generator).rewrite(question, recipe)
    return outcome.candidates[0]


async def candidates_of(exam: Exam, recipe: RewritingRecipe, rates: Rates) -> Mapping[str, Sequence[Candidate]]:
    """Judge the exam's pairs by name of fault; the real pairs count as good."""
    groups = {**exam.faulty, GOOD: exam.good, REAL: exam.real}
    return {
        name: [
            await candidate_of(
                Question(f"{name}/{at}", each.row.question, each.row.ground_truth),
                each.row.paraphrase,
                recipe,
                rates,
                faulty=name in exam.faulty,
            )
            for at, each in enumerate(reviews)
        ]
        for name, reviews in groups.items()
    }


def rejected(candidate: Candidate, doubtful: float, least_agreement: float) -> bool:
    """Return whether a pair is rejected if the reader is asked from a doubt on."""
    asked = candidate.review.accepted and candidate.review.doubt >= doubtful
    agreed = candidate.same_answer is None or candidate.same_answer >= least_agreement
    return not candidate.review.accepted or (asked and not agreed)


def table_of(found: Mapping[str, Sequence[Candidate]], recipe: RewritingRecipe) -> Table:
    """Return a row for each doubt from which the reader is asked."""
    faulty = [each for name, some in found.items() if name not in (GOOD, REAL) for each in some]
    columns = {"dropped": found.get(DROPPED, ()), "all faults": faulty, GOOD: found[GOOD], REAL: found[REAL]}
    names = (*(f"{name}, rejected" for name in columns), "good asked", "responses for 1,000 good pairs")
    table = Table("reader from", *names, box=None)
    for doubtful in DOUBTFUL:
        shares = [
            sum(rejected(each, doubtful, recipe.least_agreement) for each in some) / max(len(some), 1)
            for some in columns.values()
        ]
        good = found[GOOD]
        asked = sum(each.review.accepted and each.review.doubt >= doubtful for each in good) / max(len(good), 1)
        cells = (*(f"{share:.1%}" for share in shares), f"{asked:.0%}", f"{asked * 2 * recipe.answers * 1000:.0f}")
        table.add_row("nobody" if doubtful == 1 else f"{doubtful}", *cells)
    return table


def main() -> None:
    """Judge and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paraphrase_reader", description=__doc__)
    parser.add_argument("--faults", type=Path, default=SHARED / FAULTS)
    parser.add_argument("--pairs", type=Path, default=SHARED / MATH)
    parser.add_argument("--count", type=int, default=1000, help="how many real pairs to draw")
    parser.add_argument("--answers", type=int, default=8, help="how often the stand-in answers each question")
    parser.add_argument("--right", type=float, default=0.9, help="the share of right responses")
    parser.add_argument("--moved", type=float, default=0.8, help="the share of faults that move the answer")
    parser.add_argument("--least-agreement", type=float, default=0.25, help="the share of answers that must agree")
    given = parser.parse_args()
    recipe = RewritingRecipe(prompts=(PROMPT,), answers=given.answers, least_agreement=given.least_agreement)
    exam = exam_of(given.faults, given.pairs, given.count)
    found = asyncio.run(candidates_of(exam, recipe, Rates(given.right, given.moved)))
    console = Console(width=120)
    rates = f"right {given.right}, moved {given.moved}"
    told = f"{given.answers} answers, of which {given.least_agreement:.0%} must agree"
    console.print(f"{rates}; {told}", highlight=False)
    console.print(table_of(found, recipe))


if __name__ == "__main__":
    main()
