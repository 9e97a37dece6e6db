"""The measurement of a second reader: what it would find follows from its stated rates."""

import asyncio
import random

import pytest

from benchmarks.paraphrase_exam import GOOD, Exam
from benchmarks.paraphrase_meaning import FAULTS
from benchmarks.paraphrase_reader import PROMPT, Rates, candidates_of, rejected, table_of
from benchmarks.paraphrase_told import told_pairs
from reward_service.domain.paraphrases.policy import AcceptancePolicy
from reward_service.domain.paraphrases.rewriting import RewritingRecipe
from reward_service.paraphrasing.audit_findings import review_rows
from reward_service.paraphrasing.pair_files import PairRow

RECIPE = RewritingRecipe(prompts=(PROMPT,), answers=4, policy=AcceptancePolicy(deciding=frozenset(), most_doubt=1.0))


def made_exam():
    rng, pairs = random.Random(3), told_pairs(8, 3)
    good = [PairRow(at, str(at), each.question, each.paraphrase, each.answer, {}) for at, each in enumerate(pairs)]
    faulty = [
        PairRow(at, str(at), each.question, FAULTS["sentence"](rng, each, pairs), each.answer, {})
        for at, each in enumerate(pairs)
    ]
    read = [list(review_rows(rows, RECIPE.policy, processes=1)) for rows in (faulty, good)]
    return Exam({"condition_sentence_dropped": read[0]}, read[1], ())


@pytest.mark.parametrize(("moved", "found"), [(1.0, 8), (0.0, 0)])
def test_a_reader_that_never_errs_finds_the_faults_that_move_the_answer_and_no_other_pair(moved, found):
    judged = asyncio.run(candidates_of(made_exam(), RECIPE, Rates(right=1.0, moved=moved)))

    counts = {name: sum(rejected(each, 0.0, RECIPE.least_agreement) for each in some) for name, some in judged.items()}
    assert counts == {"condition_sentence_dropped": found, GOOD: 0, "real pairs": 0}
    assert not any(rejected(each, 1.0, RECIPE.least_agreement) for some in judged.values() for each in some)
    assert table_of(judged, RECIPE).row_count == 6
