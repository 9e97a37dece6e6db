"""What is told of a candidate: each thing that rejects it, whichever check it was."""

from typing import Any

import pytest

from reward_service.api.paraphrases.rendering import outcome_document
from reward_service.domain.paraphrases.pairs import pair_of
from reward_service.domain.paraphrases.policy import AcceptancePolicy, review
from reward_service.domain.paraphrases.rewriting import Candidate, Fate, Outcome, RewritingRecipe
from tests.support.scripted_rewriter import apples

QUESTION, PARAPHRASE = apples(12), "There are, in each box, 3 apples. What number of apples do you find in 12 boxes?"


def told(recipe: RewritingRecipe, **candidate: Any) -> Any:
    seen = review(pair_of(QUESTION, PARAPHRASE), AcceptancePolicy())
    assert seen.accepted
    outcome = Outcome("q", Fate.LEFT_OUT, None, (Candidate("paper", PARAPHRASE, seen, **candidate),))
    return outcome_document(outcome, recipe)


@pytest.mark.parametrize(
    ("recipe", "candidate", "reason", "check"),
    [
        (RewritingRecipe(), {"marked": False}, "unmarked: ", ("marked", False)),
        (RewritingRecipe(answers=4), {"same_answer": 0.25}, "same-answer: 25%", ("same_answer", 0.25)),
        (RewritingRecipe(least_similarity=0.8), {"similarity": 0.5}, "similarity: 0.50", ("similarity", 0.5)),
    ],
)
def test_what_rejects_besides_the_checks_of_the_text_is_told(
    recipe: RewritingRecipe, candidate: dict[str, Any], reason: str, check: tuple[str, Any]
) -> None:
    document = told(recipe, **candidate)
    assert len(document.reasons) == 1
    assert document.reasons[0].startswith(reason)
    assert document.checks[check[0]] == check[1]
    assert document.candidates[0].reasons == document.reasons
