"""Draw the pictures of docs/concepts.md: `python -m scripts.site.pictures` writes docs/pictures."""

from collections.abc import Callable, Mapping
from pathlib import Path

from reward_service.domain.cohort import TRANSITIONS, CohortEvent, CohortState
from scripts.site.drawing import Drawing

EQUAL = {"4", "4.0"}
FOLDER = Path(__file__).parents[2] / "docs" / "pictures"


def two_views() -> str:
    """Two wordings of a question, whose rollouts vote the label of each other."""
    draw = Drawing(
        860, 410, "Rollouts on a paraphrase vote the label for rollouts on the original, and the other way round"
    )
    answers = {"original": ("4", "5", "4", "4"), "paraphrase": ("4", "4.0", "6", "4")}
    wordings = {"original": "“What is 2 + 2?”", "paraphrase": "“Add two and two.”"}
    for row, (view, given) in enumerate(answers.items()):
        top = 50 + row * 200
        captions = top - 22 if row == 0 else top + 112
        draw.box(20, top, 150, 90, (view, wordings[view], "one question,", "one wording"), "trainer")
        draw.arrow(((172, top + 45), (226, top + 45)))
        draw.text(332, captions, "rollouts of the policy, by answer")
        draw.text(510, captions, "their vote")
        draw.text(767, captions, "their rewards")
        for place, answer in enumerate(given):
            draw.box(230 + place * 52, top + 22, 46, 46, (answer,), "good" if answer in EQUAL else "bad")
            shown = ("1", "good") if answer in EQUAL else ("0", "bad")
            draw.box(690 + place * 39, top + 28, 33, 34, (shown[0],), shown[1])
        draw.arrow(((436, top + 45), (458, top + 45)))
        draw.box(460, top + 15, 100, 60, ("4", "3 of 4 ballots"), "store")
    draw.arrow(((520, 127), (520, 150), (700, 262), (700, 276)))
    draw.arrow(((520, 263), (520, 240), (700, 128), (700, 114)))
    draw.label(360, 195, ("the vote on one wording is", "the label of the other wording"))
    draw.text(
        430, 394, "A mistake that comes from one wording gets no vote from the other one, and earns nothing.", size=13
    )
    return draw.svg()


def cohort() -> str:
    """The life of a cohort, from the transition table of the domain."""
    draw = Drawing(860, 330, "A cohort is open, then complete or expired, and in the end settled or abstained, once")
    places = {
        CohortState.OPEN: (40, 130),
        CohortState.COMPLETE: (330, 40),
        CohortState.EXPIRED: (330, 220),
        CohortState.SETTLED: (640, 40),
        CohortState.ABSTAINED: (640, 220),
    }
    told = {
        CohortState.OPEN: ("ballots come in,", "from any request,", "rank or replica"),
        CohortState.COMPLETE: ("a job is queued", "for a worker"),
        CohortState.EXPIRED: ("a job is queued with", "the ballots that there are"),
        CohortState.SETTLED: ("labels and rewards", "are written once"),
        CohortState.ABSTAINED: ("no reward,", "and the reason why"),
    }
    words = {
        CohortEvent.QUORUM: "last ballot",
        CohortEvent.DEADLINE: "deadline",
        CohortEvent.ELECTED: "labels elected",
        CohortEvent.UNELECTED: "no label",
    }
    for (state, _), after in TRANSITIONS.items():
        if state is not after:
            (x, y), (to_x, to_y) = places[state], places[after]
            slope = (to_y > y) - (to_y < y)
            draw.arrow(((x + 180, y + 35 + 14 * slope), (to_x - 2, to_y + 35 - 14 * slope)), "")
    for state, (x, y) in places.items():
        kind = {CohortState.SETTLED: "good", CohortState.ABSTAINED: "bad"}.get(state, "store")
        draw.box(x, y - 5, 180, 80, (state.value, *told[state]), kind)
    draw.label(272, 116, (words[CohortEvent.QUORUM],))
    draw.label(275, 208, (words[CohortEvent.DEADLINE],))
    draw.label(575, 75, (words[CohortEvent.ELECTED],))
    draw.label(575, 255, (words[CohortEvent.UNELECTED],))
    draw.text(
        430,
        316,
        "A ballot that comes after the cohort has closed is rewarded by the label, and does not vote.",
        size=13,
    )
    return draw.svg()


def teacher() -> str:
    """The loop of policy, weights, teacher and labels."""
    draw = Drawing(860, 330, "The trainer publishes its weights; the teacher averages them and votes the labels")
    draw.box(
        40, 110, 190, 100, ("trainer", "samples rollouts with", "the policy of step k,", "and takes a step"), "trainer"
    )
    draw.box(340, 30, 190, 80, ("average of weights", "αθ′ + (1 − α)θ", "α from 0.99 to 0.9999"), "service")
    draw.box(630, 110, 190, 100, ("teacher", "answers the question", "several times,", "slower to change"), "service")
    draw.box(340, 220, 190, 80, ("rewards", "1 for the teacher's label,", "else 0"), "store")
    draw.arrow(((200, 108), (200, 70), (338, 70)), "weights θ of step k")
    draw.arrow(((532, 70), (700, 70), (700, 108)), "version k")
    draw.arrow(((700, 212), (700, 260), (532, 260)), "votes elect the label")
    draw.arrow(((338, 260), (160, 260), (160, 212)), "rewards")
    draw.arrow(((232, 160), (628, 160)), "questions of the coming step", dashed=True)
    return draw.svg()


def deployment() -> str:
    """The processes, and who talks to whom."""
    draw = Drawing(860, 420, "Trainers talk to API processes; API, workers, teacher and paraphraser share one Redis")
    draw.box(30, 60, 170, 70, ("trainer", "ranks, Ray workers,", "any framework"), "trainer")
    draw.box(30, 190, 170, 70, ("you", "page at /, curl,", "Python client"), "trainer")
    draw.box(30, 320, 170, 60, ("Prometheus", "metrics and alerts"), "plain")
    draw.box(
        330, 60, 190, 90, ("API", "as many processes and", "replicas as you like;", "co-rewarding serve"), "service"
    )
    draw.box(330, 290, 190, 90, ("Redis or Valkey", "all that was accepted,", "before it is acknowledged"), "store")
    draw.box(650, 60, 180, 80, ("worker", "groups equal answers,", "counts, settles"), "service")
    draw.box(650, 180, 180, 80, ("teacher", "optional: averages", "weights, votes labels"), "service")
    draw.box(650, 300, 180, 80, ("paraphraser", "optional: writes", "second views"), "service")
    draw.arrow(((202, 95), (328, 95)), "HTTP")
    draw.arrow(((202, 225), (265, 225), (265, 130), (328, 130)))
    draw.arrow(((202, 350), (290, 350), (290, 145), (328, 145)), dashed=True)
    draw.arrow(((425, 152), (425, 288)), "ballots, records")
    draw.arrow(((648, 100), (590, 100), (590, 318), (522, 318)))
    draw.arrow(((648, 220), (605, 220), (605, 335), (522, 335)))
    draw.arrow(((648, 352), (522, 352)))
    draw.text(430, 404, "No process keeps anything that another needs: any of them may be killed.", size=13)
    return draw.svg()


PICTURES: Mapping[str, Callable[[], str]] = {
    "two-views": two_views,
    "cohort": cohort,
    "teacher": teacher,
    "deployment": deployment,
}


def main() -> None:
    """Write all pictures."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw())


if __name__ == "__main__":
    main()
