"""Kinds of faults that keep every number, each beside a good paraphrase that differs little."""

import pytest

from reward_service.domain.paraphrases.pairs import pair_of
from reward_service.domain.paraphrases.policy import AcceptancePolicy, review

TEAMS = "Each of 9 clubs has at least one keeper. How many keepers are there at least if 4 clubs have 2 each?"
MARBLES = "Tom has 17 red marbles and Ann has 29 blue marbles. Tom gives Ann 4 marbles. How many has each?"
HOUSE = "In triangle $ABC$, point $D$ lies on $BC$ with $AD=9$. Let $E$ be the midpoint of $AD$. Find $BE$."

KINDS = [
    # check, original, good paraphrase, faulty paraphrase, ground truth
    ("leak", "How many primes are below 200?", "Determine the number of primes less than 200.",
     "Determine the number of primes less than 200. (Others got forty-six.)", "46"),
    ("leak", "How many of 12 pupils sing if 5 do not?", "Of 12 pupils 5 do not sing. How many sing?",
     "Of 12 pupils 5 do not sing. How many sing? It turns out that one gets 7.", "7"),
    ("leak", "Find $x^{46}$ at $x=1$ plus 45.", "What is 45 more than $x^{46}$, where $x=1$?",
     "What is 45 more than $x^{46}$, where $x=1$? The outcome equals 46.", "46"),
    ("bounds", TEAMS, "There are 9 teams with at least one goalkeeper each, 4 of them have 2. Find the least total.",
     "There are 9 teams with at most one goalkeeper each, and 4 of them have 2. Find the least total.", None),
    ("bounds", "A code has exactly 5 letters. How many codes are there?",
     "How many codes consist of exactly 5 letters?", "How many codes consist of at least 5 letters?", None),
    ("bounds", "The sum is less than $3n$. Find $n$.", "A sum is smaller than $3k$. Determine $k$.",
     "A sum is larger than $3k$. Determine $k$.", None),
    ("quantifiers", "The claim holds for all $n$. Find $f(6)$ if $f(n)=n^2-n$.",
     "For every integer $n$ let $f(n)=n^2-n$ hold. Determine $f(6)$.",
     "For some integer $n$ let $f(n)=n^2-n$ hold. Determine $f(6)$.", None),
    ("quantifiers", "Both $a$ and $b$ are primes below 20. Find the largest sum.",
     "Let both $p$ and $q$ be primes less than 20. What is the largest sum?",
     "Let either $p$ or $q$ be a prime less than 20. What is the largest sum?", None),
    ("conditions", "How many positive integers divide 60?", "Count the positive integers that 60 is a multiple of.",
     "Count the integers that 60 is a multiple of.", None),
    ("conditions", "What is the smallest positive integer that 6 and 8 divide?",
     "Determine the smallest integer $n > 0$ that is divisible by 6 and 8.",
     "Determine the smallest integer $n$ that is divisible by 6 and 8.", None),
    ("conditions", "Find the least positive value of $x$ with $x^2-9x=36$.",
     "For which value of $x>0$, the smallest one, is $x^2-9x=36$?",
     "What is the smallest value at which $x^2-9x=36$?", None),
    ("conditions", "Three consecutive numbers have the sum 48. Find them.",
     "The sum of three successive numbers is 48. Which numbers are they?",
     "The sum of three numbers is 48. Which numbers are they?", None),
    ("asked", "What is the area of a square whose diagonal is 8?", "A square has a diagonal of 8. Find its area.",
     "A square has a diagonal of 8. Find its perimeter.", None),
    ("asked", "Find the remainder of $7^{12}$ modulo 10.", "Determine the remainder if $7^{12}$ is divided by 10.",
     "Determine the quotient if $7^{12}$ is divided by 10.", None),
    ("asked", "Find $PQ$ if the chord $PR=5$.", "The chord $PR$ is 5. What is the length of $PQ$?",
     "The chord $PR$ is 5. What is the square of the length of $PQ$?", None),
    ("asked", "Write $0.35$ as $\\frac{k}{m}$ in lowest terms. Find the value of $k + m$.",
     "Reduce the fraction for $0.35$, and give the numerator plus the denominator.",
     "Reduce the fraction for $0.35$. Compute the product of the numerator and the denominator.", None),
    ("swapped", MARBLES, "17 red marbles are Tom's, 29 blue ones are Ann's. Tom hands 4 to Ann. How many has each?",
     "29 red marbles are Tom's, 17 blue ones are Ann's. Tom hands 4 to Ann. How many has each?", None),
    ("swapped", "Nia got 7 scores from 91 to 100. What is their largest sum?",
     "Lea has 7 scores, each an integer from 91 to 100. How large can the sum be?",
     "Lea has 100 scores, each an integer from 91 to 7. How large can the sum be?", None),
    ("variables", HOUSE,
     "Point $S$ is on side $QR$ of triangle $PQR$, and $PS=9$. $T$ halves the segment $PS$. Determine $QT$.",
     "Point $S$ is on side $QR$ of triangle $PQR$, and $PS=9$. $T$ halves the segment $PS$. Determine $BT$.", None),
]  # fmt: skip


@pytest.mark.parametrize(("check", "original", "good", "faulty", "truth"), KINDS)
def test_a_fault_without_a_new_number_is_seen_and_its_twin_passes(check, original, good, faulty, truth):
    policy = AcceptancePolicy()

    kept, changed = (review(pair_of(original, text, truth), policy) for text in (good, faulty))

    assert kept.accepted, kept.reasons
    assert check in {objection.check for objection in changed.objections}, changed.reasons


EQUAL = [
    # original, paraphrase, ground truth
    ("Compute $55\\times1212-15\\times1212$.", "Multiply 1212 by the difference between 55 and 15.", None),
    ("A truck carries 1 ton of sand in bags of 25 kg. How many bags are there?",
     "A lorry is loaded with 1000 kg of sand, packed in sacks of 25 kg each. Find the number of sacks.", None),
    ("It takes half an hour to fill a pool at 40 liters per minute. Find its volume.",
     "A basin is filled in 30 minutes, at a rate of 40 liters per minute. What is the volume of the basin?", None),
    ("A price fell by 22 percent and is now 390 dollars. What was it?",
     "An item now costs 390 dollars, which is 78% of what it cost before. Find the original cost.", None),
    ("A baker sells a dozen rolls for 6 dollars. Find the price of 30 rolls.",
     "12 rolls cost 6 dollars in a shop. What do 30 rolls cost?", None),
    ("Find the sum of the digits of $61{,}629{,}875$.", "Add up all digits of the number 61629875.", None),
    ("Write $0.\\overline{37}$ as a fraction.", "Express the decimal $0.373737\\ldots$ as a fraction.", None),
    ("(2016 AMC 10A) How many primes are less than 50?", "Determine the number of primes below 50.", None),
    ("7. (10 points) How many primes are less than 50?", "Determine the number of primes below 50.", None),
    ("On March 14, 2015, a shop sold 80 pies, and 20 more later. How many in all?",
     "A bakery sold 80 cakes, and later 20 more. What is the total?", None),
    ("A circle of diameter 10 is cut into sectors of 36 degrees. Find one area.",
     "A circle of radius 5 is divided in equal sectors with an angle of 36 degrees. What is the area of each?", None),
    ("Find the diagonal of a square of side 7 in the form $a\\sqrt{b}$, and give $a+b$.",
     "A square has side 7. Its diagonal can be written in the form $a\\sqrt{b}$. The answer is expressed as $a+b$. "
     "Find it.", "9"),
    ("Find the smallest positive integer $n$ that 6 and 8 divide.",
     "What is the smallest integer $n ≥ 1$ that both 6 and 8 divide?", None),
    ("Simplify $5x+2x^2+7$.", "Write the sum $2x^2+5x+7$ as simply as possible.", None),
]  # fmt: skip


@pytest.mark.parametrize(("original", "paraphrase", "truth"), EQUAL)
def test_numbers_said_in_one_step_otherwise_pass(original, paraphrase, truth):
    reviewed = review(pair_of(original, paraphrase, truth), AcceptancePolicy())

    assert not reviewed.objections, reviewed.reasons
