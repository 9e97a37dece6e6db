"""Each check by examples: what it objects to, and what it lets pass."""

import pytest

from reward_service.domain.paraphrases.pairs import Tolerances, pair_of
from reward_service.domain.paraphrases.policy import CHECKS, AcceptancePolicy, review

CARDS = "A box holds 12 red cards and 15 blue cards. How many ways are there to draw 4 cards of the same color?"

DEALT = (
    "A deck of 52 cards is shuffled. Before any card is drawn, the dealer removes every club and every diamond from "
    "the deck, and then adds one joker for each removed ace. Two cards are drawn. Find the probability of two hearts."
)
DEALT_LESS = "A deck has 52 cards and is mixed. Two cards are drawn. Find the probability that both are hearts."
FAULTS = [
    # check, original, paraphrase, ground truth, a word of the evidence
    ("parsed", CARDS, "", None, "no text"),
    ("parsed", CARDS, "  $ \n ", None, "no text"),
    ("parsed", CARDS, "<rewritten question>", None, "rewritten question"),
    ("parsed", CARDS, "<paraphrase>A jar has 12 red", None, "paraphrase"),
    ("parsed", CARDS, "Sure! From 12 red and 15 blue tiles, choose 4 alike.", None, "Sure"),
    ("parsed", CARDS, "Here is the rewritten question: 12 red tiles?", None, "rewritten"),
    ("parsed", CARDS, "I'm sorry, I cannot rewrite this.", None, "sorry"),
    ("parsed", CARDS, "In the figure, find $x$. [asy code omitted for brevity]", None, "omitted"),
    ("copy", CARDS, CARDS, None, "again"),
    ("copy", CARDS, CARDS.upper().replace(". ", "  "), None, "again"),
    ("copy", CARDS, CARDS.replace("draw", "take"), None, "changed"),
    ("language", CARDS, "一个盒子里有12张红卡和15张蓝卡。抽取4张同色卡片有多少种方法?", None, "cjk"),
    ("language", CARDS,
     "Una caja tiene 12 tarjetas rojas y 15 azules. ¿De cuántas formas se sacan 4 del mismo color?", None,
     "Spanish"),
    ("length", CARDS, "Draw 4.", None, "short"),
    ("length", "Compute $12\\cdot15$.", "A baker counts 12 trays of 15 rolls. " * 12, None, "long"),
    ("truncated", CARDS, "There are 12 red tiles and 15 blue tiles in a bag. In how many", None, "In how many"),
    ("truncated", CARDS, "There are 12 red tiles and 15 blue tiles in a bag. Find the number of", None, "number of"),
    ("latex", "Find $\\frac{3}{4}+x$.", "What is the sum of $x$ and $\\frac{3}{4$?", None, "brace"),
    ("latex", "Find $3x$ if $x=12$.", "Given that x$ is 12, what is $3x$?", None, "$"),
    ("latex", "Find $\\left(3+4\\right)^5$.", "Evaluate $\\left(3+4)^5$.", None, "left"),
    ("latex", "Solve $\\begin{cases}x=4\\\\y=7\\end{cases}$", "Solve $\\begin{cases}x=4\\\\y=7$", None, "cases"),
    ("figure", 'Find $x$. [asy]draw((0,0)--(9,9)); label("17",(1,1));[/asy]', "What is $x$ in the figure?", None, "17"),
    ("numbers", CARDS, "A bag has 12 red and 14 blue tiles. In how many ways can 4 of one color be drawn?", None, "15"),
    ("numerals", CARDS, "A bag has red and 15 blue tiles. In how many ways can 4 of one color be drawn?", None, "12"),
    ("numerals", CARDS,
     "A bag has 12 red, 15 blue and 20 green tiles. How many ways to draw 4 of one color?", None, "20"),
    ("numbers", "Find 12 + 12 + 7.", "What is the sum of 12, 7 and 7?", None, "once"),
    ("numbers", "Six friends share a pie. How much is left?",
     "Nine people share a tart. How much remains?", None, "Nine"),
    ("numbers", "Compute $\\frac{3}{7}$ of 70.", "What is $\\frac{5}{7}$ of 70?", None, "3"),
    ("formulas", "Solve $x^2-7x+12=0$.", "Find the roots of $y^2-8y+12=0$.", None, "became"),
    ("formulas", "Solve $x^2-7x+12=0$.", "Find the roots of $y^2+7y+12=0$.", None, "became"),
    ("formulas", "Is $a^2+3b<11$ for all $a$?", "Does $u^2+3v>11$ always hold?", None, "became"),
    ("formulas", "Rotate $(5,7)$ about $(2,2)$.", "Turn the point $(5,8)$ around $(2,2)$.", None, "became"),
    ("formulas", "From $\\{2,3,5,7\\}$ draw two.", "Two are drawn from $\\{2,3,6,7\\}$.", None, "became"),
    ("variables", "If $AB=12$ and $BC=13$, find $AC=5x$.", "With $PQ=12$ and $RS=13$, find $PS=5x$.", None, "called"),
    ("units", "A rod is 12 cm long, another 9 cm. Which is longer?", "Of rods of 12 m and 9 cm, which is longer?", None,
     "meter"),
    ("units", "A road of 12 miles has 5 miles of asphalt.", "Of 12 kilometers, 5 miles are asphalt.", None,
     "kilometer"),
    ("units", "Find the area of a triangle with sides 5, 5 and 6.",
     "A garden has sides of 5 meters, 5 feet and 6 feet.", None,
     "beside"),
    ("bounds", "Find the largest multiple of 7 that is at most 350.",
     "Which multiple of 7 less than 350 is largest?", None,
     "at most"),
    ("bounds", "How many $n$ satisfy $n\\ge 40$?", "How many whole numbers are more than 40?", None, "more than"),
    ("bounds", "How many numbers are less than 50?", "How many numbers are not less than 50?", None, "at least"),
    ("swapped", "Tom has 17 red marbles, Ann has 29 blue marbles. How many more has Ann?",
     "With 29 red marbles for Tom and 17 blue marbles for Ann, how many more has Ann?", None, "places"),
    ("conditions", "Find the smallest odd number above 30 whose digits have the sum 9.",
     "What is the least number greater than 30 with digits that add up to 9?", None, "odd"),
    ("quantifiers", "Find all pairs $(a,b)$ with $ab=12$.", "Determine some pair $(x,y)$ with $xy=12$.", None, "some"),
    ("dropped", DEALT, DEALT_LESS, None, "dealer"),
    ("negation", "How many numbers up to 50 are not divisible by 3?",
     "Count the numbers up to 50 divisible by 3.", None, "not"),
    ("negation", "Each day he does not work costs 30. Without pay he leaves.",
     "A day that he does work costs 30. Without pay "
     "he leaves.", None, "work"),
    ("asked", "What is the area of the field?", "Determine the perimeter of the field.", None, "perimeter"),
    ("asked", "Find the largest root.", "Which root is the smallest?", None, "smallest"),
    ("asked", "Find the sum of the roots of $x^2-9$.", "What is the product of the roots of $x^2-9$?", None, "product"),
    ("asked", "Find the median of 4, 8, 15.", "What is the mean of 4, 8 and 15?", None, "mean"),
    ("asked", "What is $\\pi^5$ to the nearest tenth?", "Evaluate $\\pi^5$.", None, "round"),
    ("asked", "How many are there?", "There are many of them.", None, "nothing"),
    ("leak", "Compute $17\\cdot 23$.", "What is $17\\cdot 23$? The answer is 391.", "391", "answer"),
    ("leak", "Compute $17\\cdot 23$.", "Show that 391 is $17$ times $23$.", "391", "391"),
    ("leak", "What is $4+4$ divided by 4?", "Divide $4+4$ by 4. (Answer: 2)", "2", "answer"),
    ("leak", "Factor $x^2-9$.", "Write $x^2-9$ as a product, such as $(x-3)(x+3)$.", "(x-3)(x+3)", "text"),
    ("solved", "Solve $3x+5=26$.", "Solve $3x+5=26$. Therefore, the value of x is 7.", None, "Therefore"),
    ("solved", "Solve $3x+5=26$.", "First, we get $3x=21$. Then we have x. This means x is found.", None, "means"),
    ("solved", "Solve $3x+5=26$.", "What is x? $x=\\frac{26-5}{3}=\\frac{21}{3}=21:3=7$", None, "chain"),
    ("solved", "Solve $3x+5=26$.", "What is x? \\boxed{7}", None, "boxed"),
    ("foreign", "A train leaves Boston and travels 340 miles at 60 miles per hour. When does it arrive?",
     "How many diagonals does a convex polygon with 25 vertices have, if none of its angles is right?", None, "shared"),
]  # fmt: skip

KEPT = [
    # original, paraphrase, ground truth
    (CARDS, "From twelve red tiles and fifteen blue ones, 4 of a single color are drawn. In how many ways?", "1860"),
    ("Half of the 30 pupils walk. How many are they?", "Out of 30 students, 50% go on foot. Find their number.", "15"),
    ("What is $0.75$ of $\\frac{1}{2}$?", "Find three quarters of one half.", "\\frac{3}{8}"),
    ("Find $3^4$ as a sum.", "Write 81 as a sum of numbers.", None),
    ("How many three-digit numbers are odd?", "How many odd numbers lie from 100 to 999?", "450"),
    ("How many numbers less than 100 are prime?", "How many primes are there up to 99?", "25"),
    ("He walks for 3 hours.  How far is it?", "He goes on foot for 180 minutes. What is the distance?", None),
    ("A pen costs 75 cents. How much are 8?", "Pens are sold at $0.75 each. What is the price of 8 pens?", "6"),
    ("Find the sum $1+2+3+\\cdots+50$.", "What do the whole numbers from 1 to 50 add up to?", "1275"),
    ("What is $4+9+14+19+24$?", "Add five numbers: the first is 4, each is 5 more than the one before.", "70"),
    ("If $x>0$ and $x^2=49$, find $x$.", "A positive number has the square 49. Which one is it?", "7"),
    ("Find $\\cos\\frac{\\pi}{3}$.", "What is the cosine of 60 degrees?", "\\frac12"),
    ("Solve $x+180=-36$ for $x$.", "Which $y$ satisfies $-y=216$?", "-216"),
    ("Find $(x+4)(x+7)$ for $x=11$.", "Evaluate $(y+7)(y+4)$ at $y=11$.", "270"),
    ("Let $f(x)=2x+5$. Find $f(8)$.", "For the function $g(t)=2t+5$, determine $g(8)$.", "21"),
    ("In triangle $ABC$, $AB=9$ and $BC=12$. Find $AC$.", "Triangle $PQR$ has $PQ=9$, $QR=12$. What is $PR$?", "15"),
    ("The set holds $12,\\!000$ and 1,500 stamps. Add them.", "Find the sum of 12000 and 1500 stamps.", "13500"),
    ("Each of the 5 kids gets \\$30. What do they get?",
     "There are 5 children with 30 dollars each. Find the total.", "150"),
    ("Find the area of a circle of radius 7.", "A round field has a radius of 7 meters. What is its area?", "49\\pi"),
    ("How many days does he not work?", "Determine on how many days he stays without work.", None),
    ("No two of the 8 digits are the same. Which are they?", "Find 8 digits that are all distinct.", None),
    ("Find the number, rounded to the nearest hundredth: 3.14159", "Round 3.14159 to two decimal places.", "3.14"),
    ("In 2006 he paid 90. How much was it in 2007?", "Last year the price was 90. What is it now?", None),
    ("Which is it? (A) 14 (B) 15 (C) 16", "Determine which it is.", "15"),
    ("Enter it like \"sin 7\". Simplify $\\tan 20$.", "Write $\\tan 20$ as one sine.", None),
    ("Mr. Gray's $4\\times 6$ board has 24 squares. Half are white: how many?",
     "A board of 4 by 6 squares is half white. How many squares are that?", "12"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "original", "paraphrase", "truth", "word"), FAULTS)
def test_a_fault_is_named_with_its_evidence(check, original, paraphrase, truth, word):
    pair = pair_of(original, paraphrase, truth)

    evidence = CHECKS[check].check(pair, Tolerances())

    assert evidence is not None
    assert word in evidence.words
    for spans, text in ((evidence.in_original, original), (evidence.in_paraphrase, paraphrase)):
        assert all(0 <= span.start < span.end <= len(text) for span in spans)


@pytest.mark.parametrize(("original", "paraphrase", "truth"), KEPT)
def test_what_only_sounds_otherwise_passes(original, paraphrase, truth):
    reviewed = review(pair_of(original, paraphrase, truth), AcceptancePolicy())

    assert reviewed.accepted, reviewed.reasons


def test_every_check_has_an_example():
    assert {check for check, *_ in FAULTS} == CHECKS.keys()


def test_a_policy_says_which_objections_reject():
    pair = pair_of(CARDS, "A bag has 12 red and 14 blue tiles. In how many ways can 4 of one color be drawn")
    strict = review(pair, AcceptancePolicy())
    lenient = review(pair, AcceptancePolicy(deciding=frozenset({"latex"}), telling=frozenset({"numbers"})))

    assert not strict.accepted
    assert [each.check for each in strict.objections] == ["truncated", "numbers"]
    assert lenient.accepted
    assert lenient.reasons == ("numbers: 15 is missing; 14 is new",)


def test_a_fatal_objection_ends_the_review():
    reviewed = review(pair_of(CARDS, "<rewritten question>"), AcceptancePolicy())

    assert [each.check for each in reviewed.objections] == ["parsed"]


def test_tolerances_decide_where_there_is_more_or_less():
    pair = pair_of(
        CARDS, "A pack holds 12 red cards and 15 blue cards. How many ways are there to take 4 cards of one color?"
    )
    strict = AcceptancePolicy(tolerances=Tolerances(least_changed=0.9))

    assert review(pair, AcceptancePolicy()).accepted
    assert review(pair, strict).reasons[0].startswith("copy: only")
