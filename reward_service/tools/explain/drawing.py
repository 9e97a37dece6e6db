"""Draw a cohort for a terminal: its labels, and a row for each ballot."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

ASIDE = "dim"
NUMBERS = frozenset({"rollout", "reward"})


def picture(cohort: Mapping[str, Any], url: str) -> RenderableType:
    """Return a cohort as `GET /v1/cohorts/{cohort}` tells it, in lines and a table."""
    return Group(*_head(cohort, url), _ballots(cohort))


def _head(cohort: Mapping[str, Any], url: str) -> Iterator[Text]:
    step = "without a step" if cohort["step"] is None else f"step {cohort['step']}"
    attempt = f", attempt {cohort['attempt']}" if cohort["attempt"] else ""
    place = f"question {cohort['question_id']}, {step}{attempt}, run {cohort['run']}"
    yield Text(plain(place), style="bold")
    yield Text(f"{cohort['method']}, {cohort['state']}")
    yield Text(f"{url.rstrip('/')}/#/cohorts/{cohort['cohort']}", style=ASIDE)
    for label in cohort["labels"]:
        votes = f", {label['votes']:g} of {label['of']:g} votes" if label["of"] else ""
        views = f" on the {' and the '.join(label['voted_on'])}" if label["voted_on"] else ""
        yield Text(plain(f"the {label['view']} has the label {label['answer']}: by the {label['voter']}{views}{votes}"))
    for view, why in cohort.get("unlabelled", {}).items():
        yield Text(plain(f"the {view} has no reward: {why}"), style="yellow")


def _ballots(cohort: Mapping[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("view", "rollout", "answer", "reward", "why"):
        table.add_column(name, justify="right" if name in NUMBERS else "left", overflow="fold")
    class_of = {label["view"]: _class_of(cohort, label["answer"]) for label in cohort["labels"]}
    for ballot in cohort["ballots"]:
        rollout = "–" if ballot["rollout"] is None else str(ballot["rollout"])
        answer = Text("none", style=ASIDE) if ballot["answer"] is None else Text(plain(ballot["answer"]))
        reward = "–" if ballot["reward"] is None else f"{ballot['reward']:.3g}"
        table.add_row(ballot["view"], rollout, answer, reward, Text(_why(cohort, ballot, class_of)))
    return table


def _class_of(cohort: Mapping[str, Any], label: str) -> str:
    """Return the class of a label: that of a ballot which wrote the label, else the label itself."""
    classes = (each["answer_class"] for each in cohort["ballots"] if each["answer"] == label)
    return next((each for each in classes if each is not None), label)


def _why(cohort: Mapping[str, Any], ballot: Mapping[str, Any], class_of: Mapping[str, str]) -> str:
    if ballot["abstention"] is not None:
        return ballot["abstention"]
    if ballot["reward"] is None:
        return "the cohort is open" if cohort["state"] == "open" else f"the {ballot['voter']} votes and earns nothing"
    late = "" if ballot["counted"] else "; late or replaced, so without a vote"
    if ballot["answer"] is None:
        return f"no answer was found in the response{late}"
    label = class_of.get(ballot["view"])
    if label is None:
        return f"{cohort['method']} elects no label{late}"
    return f"{'equals' if ballot['answer_class'] == label else 'differs from'} the label{late}"


def plain(text: str) -> str:
    """Return a text whose characters a terminal shows and does not obey."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
