"""What holds of every pair: no text raises or takes long, evidence points into the texts, and nothing is remembered."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.domain.paraphrases.pairs import pair_of
from reward_service.domain.paraphrases.policy import CHECKS, AcceptancePolicy, Review, review
from reward_service.domain.paraphrases.reading import MOST_CHARS, read_text

LIMIT_S = 5.0
"""Of CPU time, for two pairs and all checks twice. Measured on a busy core: at most 2.3 s."""

SNIPPETS = [
    "$x^2 - 7x + 12 = 0$", "How many", "find the largest", "not divisible by", "12 cm", "\\frac{3}{4}", "at least 5",
    "[asy] label(\"7\",(0,0)); [/asy]", "1, 2, 3, ..., 9", "for example", "twenty-one", "\\begin{cases}",
    "\\end{cases}", "$", "$$", "\\[", "\\]", "{", "}", "\\left(", "(A) 3 (B) 4 (C) 5", "\n\n", "?", ".", "\0",
    "\ud800", "¼", "²", "٣", "中文", "the answer is 7", "100%", "-", "\"sin 7\"", "AB = 9", "\\angle ABC", "90^\\circ",
    "_{", "^{", "2^", "\\text{if } x",
]  # fmt: skip

texts = st.one_of(st.text(max_size=300), st.lists(st.sampled_from(SNIPPETS), max_size=30).map(" ".join))
questions = st.lists(st.sampled_from(SNIPPETS[:11]), min_size=1, max_size=8).map(" ".join)


def reviewed(original: str, paraphrase: str, truth: str | None = None, *, all_checks: bool = False) -> Review:
    policy = AcceptancePolicy()
    pair = pair_of(original, paraphrase, truth)
    if all_checks:
        for row in CHECKS.values():
            row.check(pair, policy.tolerances)
    return review(pair, policy)


@given(texts, texts, st.one_of(st.none(), texts))
def test_no_text_raises_and_evidence_points_into_it(original, paraphrase, truth):
    for objection in reviewed(original, paraphrase, truth, all_checks=True).objections:
        evidence = objection.evidence
        assert evidence.words
        assert len(evidence.words) < 400
        for spans, text in ((evidence.in_original, original), (evidence.in_paraphrase, paraphrase)):
            assert all(0 <= span.start < span.end <= len(text) for span in spans)


@given(questions)
def test_a_question_keeps_all_of_itself(question):
    pair = pair_of(question, question, "7")
    objecting = {name for name, row in CHECKS.items() if row.check(pair, AcceptancePolicy().tolerances) is not None}

    assert objecting <= {"copy", "truncated"}


@given(texts, texts, texts)
def test_a_review_depends_on_nothing_but_its_pair(original, paraphrase, other):
    first = reviewed(original, paraphrase)
    reviewed(other, original)

    assert reviewed(original, paraphrase) == first


@given(questions, st.integers(0, 10), st.integers(0, 10))
def test_spaces_change_no_verdict(question, before, after):
    paraphrase = f"Please determine this: {question}"
    spaced = " " * before + paraphrase + "\n" * after

    plain, other = reviewed(question, paraphrase), reviewed(question, spaced)

    assert [each.check for each in plain.objections] == [each.check for each in other.objections]


@given(st.permutations("uvwpqr"), st.permutations("KLMSTW"))
def test_other_letters_change_no_verdict(small, capital):
    small, capital = dict(zip("xyzabc", small, strict=True)), dict(zip("ABCPQR", capital, strict=True))
    original = (
        "In triangle $ABC$, $AB=9$ and $BC=12a$, where $x^2-7x+12=3y$ and $a<b$. Find $AC+z$ for $c=5$ and $PQ=QR$."
    )
    formulas = original.split("$")
    renamed = [
        "".join(small.get(sign, capital.get(sign, sign)) for sign in part) if at % 2 else part
        for at, part in enumerate(formulas)
    ]
    told = "$".join(renamed).replace("In triangle", "Consider a triangle").replace("Find", "Determine the value of")

    assert reviewed(original, told.replace("where", "such that"), "15").reasons == ()


def repeated(unit: str) -> str:
    return unit * (MOST_CHARS // len(unit) - 1)


HOSTILE = {
    name: repeated(unit)
    for name, unit in {
        "dollars": "$", "formulas": "$x$ ", "open formulas": "$1 ", "dots": "$1,2,\\dots,9$ ", "braces": "{",
        "brackets": "(1,", "numbers": "1 ", "digits": "9", "decimals": "1.", "groups": "1,234", "spaces": " ",
        "lines": "\n", "tabs": "\t1", "fractions": "\\frac{1}{2}", "nested": "\\frac{", "powers": "9^{12}",
        "factorials": "12!", "words": "seven ", "cardinals": "two hundred and ", "ordinals": "third-",
        "units": "5 feet 5 m ", "minus": "-", "minus units": "- feet", "examples": "for example 7. ",
        "quotes": "\"7\" ", "letters": "$AB=12$", "points": "$(1,2)$", "long list": "1,", "relations": "$a<b$",
        "bounds": "less than 5 ", "denials": "not a ", "answers": "the answer is ", "asy": "[asy]",
        "labels": "[asy]label(\"1\",[/asy]", "environments": "\\begin{align}", "markers": "<", "asks": "what? ",
        "nul": "\0", "surrogates": "\ud800", "script": "中", "commands": "\\a", "percent": "5%",
        "choices": "(A) (B) (C) ", "titles": "Is ", "equations": "$a=b=c=1$", "chain": "=1", "hyphens": "a-",
        "cents": "$5 ", "text": "\\text{", "unicode digits": "٣",
    }.items()
}  # fmt: skip


@pytest.mark.timed
@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_made_to_hang_is_read_in_time(name):
    text, question = HOSTILE[name], "A box holds 12 red cards. How many of the 12 are not 5 feet from $x^2=7$?"
    began_s = time.process_time()

    reviewed(question, text, "7", all_checks=True)
    reviewed(text, text, text[:300], all_checks=True)

    assert time.process_time() - began_s < LIMIT_S


def test_twice_the_text_takes_twice_the_time():
    rng = random.Random(3)

    def cost_s(length: int) -> float:
        text = " ".join(rng.choices(SNIPPETS, k=length))
        times_s = []
        for _ in range(5):
            began_s = time.process_time()
            read_text(text)
            times_s.append(time.process_time() - began_s)
        return min(times_s)

    assert cost_s(1200) < 4 * cost_s(600) + 0.02
