"""A model as rewriter, with a script in the model's place: rounds, verdicts, answers, fallbacks, seeds, errors."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from reward_service.domain.paraphrases.policy import AcceptancePolicy
from reward_service.domain.paraphrases.rewriting import Fallback, Fate, Outcome, Question, RewritingRecipe
from reward_service.generation.generator import GenerationError, GeneratorUnavailableError, Prompt, Sampling
from reward_service.paraphrasing.model_rewriter import ModelRewriter, seed_of
from reward_service.paraphrasing.prompts import INSTRUCTIONS, instruction_named
from reward_service.paraphrasing.rewriter import RewritingError, RewritingTally, reasons_of
from tests.support.scripted_generator import ScriptedGenerator, asked_text, instruction_in

X = "Tom has 12 apples and buys 7 more. How many apples does he have now?"
GOOD = "After adding 7 apples to the 12 that he already owned, what is the number of apples in Tom's possession?"
ALSO_GOOD = "Twelve apples belong to Tom. He gets another 7 of them. What number of apples is his in the end?"
CHANGED = "After adding 8 apples to the 12 that he already owned, what is the number of apples in Tom's possession?"
SOLVED = "Tom starts with 12 apples. He buys 7 more, so 12 + 7 = 19. The answer is 19."
QUESTION = Question("q", X, "19")
ONE = RewritingRecipe(prompts=("reword",))


def marked(text: str) -> str:
    return f"<rewritten>\n{text}\n</rewritten>"


def boxed(*answers: str) -> list[str]:
    return [f"so \\boxed{{{answer}}}" if answer else "no idea" for answer in answers]


@dataclass
class Script:
    """Texts by instruction, and answers by what is asked."""

    texts: dict[str, Sequence[str]] = field(default_factory=dict)
    answers: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, prompt: Prompt, sampling: Sampling) -> Sequence[str]:
        name = instruction_in(prompt)
        if name is None:
            return self.answers[asked_text(prompt)]
        return [marked(text) for text in self.texts[name]]


def rewritten(script: Callable[[Prompt, Sampling], Sequence[str]], recipe: RewritingRecipe, **more: object) -> Outcome:
    return asyncio.run(ModelRewriter(ScriptedGenerator(script), **more).rewrite(QUESTION, recipe))


def test_the_first_acceptable_candidate_is_taken():
    outcome = rewritten(Script({"reword": [GOOD]}), ONE)

    assert (outcome.fate, outcome.paraphrase, outcome.error) == (Fate.REWRITTEN, GOOD, None)
    (candidate,) = outcome.candidates
    assert (candidate.prompt, candidate.text, candidate.accepted) == ("reword", GOOD, True)
    assert (candidate.same_answer, candidate.similarity) == (None, None)


def test_another_prompt_is_tried_where_the_last_gave_nothing():
    generator = ScriptedGenerator(Script({"reword": [CHANGED], "scenario": [SOLVED], "notation": [GOOD]}))
    recipe = RewritingRecipe(prompts=("reword", "scenario", "notation", "paper"))

    outcome = asyncio.run(ModelRewriter(generator).rewrite(QUESTION, recipe))

    assert outcome.paraphrase == GOOD
    assert [each.prompt for each in outcome.candidates] == ["reword", "scenario", "notation"]
    assert [each.accepted for each in outcome.candidates] == [False, False, True]
    assert [instruction_in(prompt) for prompt, _ in generator.asked] == ["reword", "scenario", "notation"]


@pytest.mark.parametrize(
    ("text", "check"),
    [(X, "copy"), (CHANGED, "numbers"), (SOLVED, "solved"), ("", "parsed"), (GOOD[:60], "truncated")],
)
def test_what_is_rejected_says_by_what(text, check):
    outcome = rewritten(Script({"reword": [text]}), ONE)

    assert outcome.fate is Fate.LEFT_OUT
    (candidate,) = outcome.candidates
    assert check in dict(reasons_of(candidate, ONE))
    tally = RewritingTally(ONE)
    tally.add(outcome)
    assert tally.as_json()["rejected_by"][check] == 1


@pytest.mark.parametrize(
    ("fallback", "fate", "paraphrase"),
    [(Fallback.LEAVE_OUT, Fate.LEFT_OUT, None), (Fallback.SAME_AGAIN, Fate.PASSED_THROUGH, X)],
)
def test_what_a_question_gets_that_nothing_is_accepted_for(fallback, fate, paraphrase):
    outcome = rewritten(Script({"reword": [CHANGED, X]}), replace(ONE, candidates=2, fallback=fallback))

    assert (outcome.fate, outcome.paraphrase) == (fate, paraphrase)
    assert [each.text for each in outcome.candidates] == [CHANGED, X]


@pytest.mark.parametrize(("unmarked", "fate"), [(False, Fate.LEFT_OUT), (True, Fate.REWRITTEN)])
def test_a_response_without_markers_is_taken_only_where_the_recipe_says_so(unmarked, fate):
    recipe = replace(ONE, unmarked=unmarked)

    outcome = rewritten(lambda *_: [GOOD], recipe)

    assert outcome.fate is fate
    (candidate,) = outcome.candidates
    assert (candidate.text, candidate.marked, candidate.review.accepted) == (GOOD, False, True)
    assert [name for name, _ in reasons_of(candidate, recipe)] == ([] if unmarked else ["unmarked"])


def test_a_policy_decides_which_checks_reject():
    without = AcceptancePolicy(
        deciding=AcceptancePolicy().deciding - {"numbers", "formulas"}, telling=frozenset({"numbers"})
    )

    outcome = rewritten(Script({"reword": [CHANGED]}), replace(ONE, policy=without))

    assert outcome.paraphrase == CHANGED
    assert [each.check for each in outcome.candidates[0].review.objections] == ["numbers"]
    assert list(reasons_of(outcome.candidates[0], ONE)) == []


@pytest.mark.parametrize(("doubtful", "asked"), [(0.0, True), (1.0, False)])
def test_the_model_answers_only_for_candidates_that_the_words_leave_doubtful(doubtful, asked):
    script = Script({"reword": [GOOD]}, {X: ["19"], GOOD: ["5"]})

    outcome = rewritten(script, replace(ONE, answers=1, doubtful=doubtful))

    (candidate,) = outcome.candidates
    assert 0 < candidate.review.doubt < 1
    assert (candidate.same_answer, candidate.accepted) == ((0.0, False) if asked else (None, True))


def test_a_candidate_of_more_doubt_than_the_policy_accepts_is_rejected_by_it():
    recipe = replace(ONE, policy=AcceptancePolicy(most_doubt=0.0))

    outcome = rewritten(Script({"reword": [GOOD]}), recipe)

    assert outcome.paraphrase is None
    assert [name for name, _ in reasons_of(outcome.candidates[0], recipe)] == ["doubt"]


@pytest.mark.parametrize("wrong", [{"doubtful": 1.5}, {"policy": AcceptancePolicy(most_doubt=-0.1)}])
def test_a_doubt_is_between_0_and_1(wrong):
    with pytest.raises(ValueError, match="between 0 and 1"):
        RewritingRecipe(**wrong)


@pytest.mark.parametrize(
    ("of_x", "of_candidate", "share"),
    [
        (["19", "19", "5"], ["19", "\\frac{38}{2}", "19.0"], 1.0),
        (["19", "19", "5"], ["19", "5", "19"], 2 / 3),
        (["19", "19", "5"], ["19", "5", ""], 1 / 3),
        (["19", "5", ""], ["19", "5", ""], 1 / 3),  # a tie goes to the first
        (["", "", ""], ["19", "19", "19"], 0.0),
        (["19", "19", "19"], ["", "", ""], 0.0),
    ],
)
def test_answers_to_the_candidate_are_compared_with_the_majority_of_the_questions(of_x, of_candidate, share):
    script = Script({"reword": [GOOD]}, {X: boxed(*of_x), GOOD: boxed(*of_candidate)})

    outcome = rewritten(script, replace(ONE, answers=3))

    (candidate,) = outcome.candidates
    assert candidate.same_answer == pytest.approx(share)
    assert candidate.accepted == (share >= 0.5)
    assert outcome.fate is (Fate.REWRITTEN if share >= 0.5 else Fate.LEFT_OUT)
    assert [name for name, _ in reasons_of(candidate, ONE)] == ([] if candidate.accepted else ["same-answer"])


def test_answers_are_asked_for_only_where_they_decide_and_of_the_question_once():
    script = Script(
        {"reword": [CHANGED, GOOD], "scenario": [ALSO_GOOD, SOLVED]},
        {X: boxed("19", "19"), GOOD: boxed("12", "7"), ALSO_GOOD: boxed("19", "19")},
    )
    generator = ScriptedGenerator(script)
    recipe = RewritingRecipe(prompts=("reword", "scenario"), candidates=2, answers=2)

    outcome = asyncio.run(ModelRewriter(generator).rewrite(QUESTION, recipe))

    assert outcome.paraphrase == ALSO_GOOD
    assert [each.same_answer for each in outcome.candidates] == [None, 0.0, 1.0, None]
    answered = [asked_text(prompt) for prompt, _ in generator.asked if instruction_in(prompt) is None]
    assert answered == [X, GOOD, ALSO_GOOD]


def test_of_several_accepted_ones_that_is_taken_whose_answers_agree_most():
    answers = {X: boxed("19", "19"), GOOD: boxed("19", "5"), ALSO_GOOD: boxed("19", "19")}
    script = Script({"reword": [GOOD, ALSO_GOOD]}, answers)

    assert rewritten(script, replace(ONE, candidates=2, answers=2)).paraphrase == ALSO_GOOD
    assert rewritten(script, replace(ONE, candidates=2)).paraphrase == GOOD


def test_draws_follow_from_the_recipe_and_differ_between_questions_rounds_and_seeds():
    recipe = RewritingRecipe(prompts=("reword", "reword"), temperature=0.3, top_p=0.9, max_tokens=77, answers=1)
    script = Script({"reword": [GOOD]}, {X: boxed("19"), GOOD: boxed("5")})

    def asked(question_id: str, seed: int) -> list[tuple[Prompt, Sampling]]:
        generator = ScriptedGenerator(script)
        rewriter = ModelRewriter(generator)
        asyncio.run(rewriter.rewrite(replace(QUESTION, question_id=question_id), replace(recipe, seed=seed)))
        return generator.asked

    assert asked("q", 0) == asked("q", 0)
    sampled = [sampling for _, sampling in asked("q", 0) + asked("r", 0) + asked("q", 1)]
    assert len(sampled) == 15 == len({sampling.seed for sampling in sampled})
    assert {replace(sampling, seed=None) for sampling in sampled} == {
        Sampling(temperature=0.3, top_p=0.9, max_tokens=77, thinking=False)
    }


@pytest.mark.parametrize("question_id", ["", "math/1", "\ud800", "x" * 10_000])
def test_seeds_are_what_servers_take(question_id):
    assert 0 <= seed_of(2**70, question_id, "candidates", 0) < 2**31


def test_a_question_that_cannot_be_asked_fails_with_what_was_drawn_before():
    def script(prompt: Prompt, sampling: Sampling) -> Sequence[str]:
        if instruction_in(prompt) == "scenario":
            raise GenerationError("the prompt has 9 tokens and the model reads 8")
        return [marked(CHANGED)]

    outcome = rewritten(script, RewritingRecipe(prompts=("reword", "scenario", "notation")))

    assert (outcome.fate, outcome.paraphrase) == (Fate.FAILED, None)
    assert outcome.error == "the prompt has 9 tokens and the model reads 8"
    assert [each.text for each in outcome.candidates] == [CHANGED]


def test_a_model_that_is_away_is_the_callers_to_wait_for():
    def script(prompt: Prompt, sampling: Sampling) -> Sequence[str]:
        raise GeneratorUnavailableError("away", 3.0)

    with pytest.raises(GeneratorUnavailableError):
        rewritten(script, ONE)


def test_a_prompt_that_does_not_exist_is_named():
    with pytest.raises(RewritingError, match="'no'; choose from paper, reword, scenario, notation"):
        rewritten(Script(), RewritingRecipe(prompts=("no",)))


@dataclass
class Nearness:
    """A similarity that is known."""

    near: float
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def of(self, original: str, paraphrase: str) -> float:
        self.asked.append((original, paraphrase))
        return self.near


def test_similarity_is_told_of_what_the_cheap_checks_let_through():
    nearness = Nearness(-0.25)

    outcome = rewritten(Script({"reword": [CHANGED, GOOD]}), replace(ONE, candidates=2), similarity=nearness)

    assert outcome.paraphrase == GOOD
    assert [each.similarity for each in outcome.candidates] == [None, -0.25]
    assert nearness.asked == [(X, GOOD)]


@pytest.mark.parametrize(("least", "fate"), [(0.8, Fate.LEFT_OUT), (0.7, Fate.REWRITTEN)])
def test_similarity_decides_where_the_recipe_says_so(least, fate):
    recipe = replace(ONE, least_similarity=least)

    outcome = rewritten(Script({"reword": [GOOD]}), recipe, similarity=Nearness(0.7))

    assert outcome.fate is fate
    expected = [("similarity", "0.70, of at least 0.8")] if fate is Fate.LEFT_OUT else []
    assert list(reasons_of(outcome.candidates[0], recipe)) == expected


def test_similarity_that_nothing_can_tell_is_refused():
    with pytest.raises(RewritingError, match="no embedding model"):
        rewritten(Script({"reword": [GOOD]}), replace(ONE, least_similarity=0.5))


@pytest.mark.parametrize(
    "setting",
    [
        {"prompts": ()}, {"candidates": 0}, {"max_tokens": 0}, {"answers": -1}, {"temperature": -0.1},
        {"top_p": 0.0}, {"top_p": 1.1}, {"least_agreement": 1.5}, {"temperature": float("nan")},
    ],
)  # fmt: skip
def test_a_recipe_that_nothing_can_be_rewritten_by_is_refused(setting):
    with pytest.raises(ValueError, match="must"):
        RewritingRecipe(**setting)


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_each_instruction_says_the_markers_it_is_read_by(name):
    row = instruction_named(name)
    assert row.markers.begin in row.text
    assert row.markers.end in row.text
    assert (row.markers.within or "") in row.text
