"""Audit a file of pairs by the checks, and write the report: verdicts as JSON lines, HTML and Markdown.

The HTML page can be read without another file; KaTeX lies beside it and sets the formulas. In Markdown the texts of
pairs stand in fences, where nothing is markup.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from co_rewarding_schema.errors import CoRewardingError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from reward_service.domain.paraphrases.policy import CHECKS, AcceptancePolicy
from reward_service.domain.paraphrases.reading import Span
from reward_service.paraphrasing.audit_findings import AuditTally, Findings, Reviewed, review_rows
from reward_service.paraphrasing.audit_formulas import HEAD, SCRIPT, html_of, ship, whole
from reward_service.paraphrasing.pair_files import PairFields, count_pairs, read_pairs

MOST_SHOWN = 1_500
"""Characters of a text on a page; what matters of a longer one is around its first evidence."""
_BEFORE = 300


class AuditError(CoRewardingError):
    """The pairs were read, but the report could not be written."""


class Stretch(NamedTuple):
    """A part of a text, and whether it is evidence; `start` is its place, -1 of what stands for the rest."""

    text: str
    marked: bool
    start: int = -1


def stretches(text: str, spans: Sequence[Span]) -> Iterator[Stretch]:
    """Cut a text at its evidence, from the beginning or shortly before the first evidence; `MOST_SHOWN` at most."""
    first = min((span.start for span in spans), default=0)
    start = max(0, first - _BEFORE) if len(text) > MOST_SHOWN else 0
    end = min(len(text), start + MOST_SHOWN)
    if start:
        yield Stretch("… ", marked=False)
    inside = [(max(span.start, start), min(span.end, end)) for span in spans]
    edges = sorted({start, end, *(edge for span in inside for edge in span if span[0] < span[1])})
    for left, right in pairwise(edges):
        yield Stretch(text[left:right], any(span[0] <= left < span[1] for span in inside), left)
    if end < len(text):
        yield Stretch(" …", marked=False)


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #1c1c1e }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse } td, th { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.pair { border: 1px solid #d8d8dc; border-radius: 6px; margin: .8rem 0; padding: .6rem .9rem }
.texts { display: grid; grid-template-columns: 1fr 1fr; gap: 1.2rem }
.texts div { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 14px }
.why { color: #8a1c1c; margin: .1rem 0 } .id { color: #6e6e73; font-size: 13px }
mark { background: #ffd9d2; border-radius: 3px; padding: 0 2px } .q mark { background: #dbe8ff }
@media (prefers-color-scheme: dark) { body { background: #18181b; color: #e4e4e7 } .pair { border-color: #3f3f46 }
  .why { color: #fca5a5 } mark { background: #7f2a1d; color: #fff } .q mark { background: #1e3a6e } }
@media (max-width: 50rem) { .texts { grid-template-columns: 1fr } }
"""


def html_page(name: str, findings: Findings) -> str:
    """Return the report as one HTML page; all of the pairs' texts is escaped."""
    return "".join(_page(name, findings))


def _page(name: str, findings: Findings) -> Iterator[str]:
    title = f"Paraphrases in {escape(name)}"
    yield f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f'<meta name="viewport" content="width=device-width">{HEAD}<style>{_STYLE}</style></head><body>\n'
    yield f"<h1>{title}</h1>\n<p>{findings.headline}</p>\n"
    yield from _counts(findings)
    if findings.worst:
        yield "<h2>The most doubtful first</h2>\n"
        yield "<p>Question on the left, paraphrase on the right; what the checks saw is marked.</p>\n"
        yield from map(_html_pair, findings.worst)
    for check, examples in findings.examples:
        yield f'<h2 id="{check}">{check}: {escape(CHECKS[check].about)}</h2>\n'
        yield from map(_html_pair, examples)
    yield f"{SCRIPT}</body></html>\n"


def _counts(findings: Findings) -> Iterator[str]:
    yield '<table><tr><th>check<th class="n">objects<th class="n">of all<th class="n">alone<th>what it holds</tr>\n'
    for count in findings.counts:
        link = f'<a href="#{count.check}">{count.check}</a>' if count.objects else count.check
        yield f'<tr><td>{link}<td class="n">{count.objects:,}<td class="n">{count.objects / max(findings.pairs, 1):.2%}'
        yield f'<td class="n">{count.alone:,}<td>{escape(CHECKS[count.check].about)}</tr>\n'
    yield "</table>\n"


def _html_pair(reviewed: Reviewed) -> str:
    row, objections = reviewed.row, reviewed.review.objections
    whys = "".join(f'<p class="why">{each.check}: {escape(each.evidence.words)}</p>' for each in objections)
    answer = "" if row.ground_truth is None else f", answer {escape(row.ground_truth[:80])}"
    question = _marked(row.question, [span for each in objections for span in each.evidence.in_original])
    paraphrase = _marked(row.paraphrase, [span for each in objections for span in each.evidence.in_paraphrase])
    return (
        f'<div class="pair"><span class="id">{escape(row.question_id[:80])}, row {row.number}{answer}, '
        f"doubt {reviewed.review.doubt:.2f}</span>{whys}"
        f'<div class="texts"><div class="q">{question}</div><div>{paraphrase}</div></div></div>\n'
    )


def _marked(text: str, spans: Sequence[Span]) -> str:
    return "".join(_shown(text, each) for each in stretches(text, whole(text, spans)))


def _shown(text: str, stretch: Stretch) -> str:
    if stretch.start < 0:
        return escape(stretch.text)
    shown = html_of(text, stretch.start, stretch.start + len(stretch.text))
    return f"<mark>{shown}</mark>" if stretch.marked else shown


_RUN = re.compile(r"`{3,}")
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&])")


def markdown_page(name: str, findings: Findings) -> str:
    """Return the report as Markdown."""
    return "".join(f"{line}\n" for line in _lines(name, findings))


def _lines(name: str, findings: Findings) -> Iterator[str]:
    yield from (f"# Paraphrases in {_plain(name)}", "", findings.headline, "")
    yield from ("| check | objects | of all | alone | what it holds |", "|---|---:|---:|---:|---|")
    for count in findings.counts:
        share = count.objects / max(findings.pairs, 1)
        about = CHECKS[count.check].about
        yield f"| {count.check} | {count.objects:,} | {share:.2%} | {count.alone:,} | {about} |"
    if findings.worst:
        yield from ("", "## The most doubtful first")
        for reviewed in findings.worst:
            yield from _markdown_pair(reviewed)
    for check, examples in findings.examples:
        yield from ("", f"## {check}: {CHECKS[check].about}")
        for reviewed in examples:
            yield from _markdown_pair(reviewed)


def _markdown_pair(reviewed: Reviewed) -> Iterator[str]:
    row = reviewed.row
    answer = "" if row.ground_truth is None else f", answer {_plain(row.ground_truth[:80])}"
    yield from (
        "",
        f"**{_plain(row.question_id[:80])}**, row {row.number}{answer}, doubt {reviewed.review.doubt:.2f}",
        "",
    )
    yield from (f"- {each.check}: {_plain(each.evidence.words)}" for each in reviewed.review.objections)
    for text in (row.question, row.paraphrase):
        shown = "".join(each.text for each in stretches(text, ()))
        fence = "`" * max([3, *(len(run) + 1 for run in _RUN.findall(shown))])
        yield from ("", f"{fence}text", shown.strip("\n"), fence)


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


VERDICTS, HTML, MARKDOWN = "verdicts.jsonl", "report.html", "report.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOrder:
    """The file to audit and the folder of the report, which is made if missing."""

    file: Path
    out: Path
    fields: PairFields = field(default_factory=PairFields)
    policy: AcceptancePolicy = field(default_factory=AcceptancePolicy)
    processes: int = 2


def audit_file(order: AuditOrder, console: Console) -> Findings:
    """Review every pair and write the report: a line of JSON for each pair, a page as HTML and one as Markdown.

    Raises:
        PairFileError: the file cannot be read as pairs.
        AuditError: the report cannot be written.
    """
    total = count_pairs(order.file)
    tally = AuditTally()
    try:
        order.out.mkdir(parents=True, exist_ok=True)
        with _whole(order.out / VERDICTS) as verdicts, _bar(console) as bar:
            rows = read_pairs(order.file, order.fields)
            reviews = review_rows(rows, order.policy, order.processes)
            for reviewed in bar.track(reviews, total=total, description="checking"):
                tally.add(reviewed)
                verdicts.write(json.dumps(_verdict(reviewed), default=str) + "\n")
        findings = tally.findings()
        ship(order.out)
        for name, page in ((HTML, html_page), (MARKDOWN, markdown_page)):
            with _whole(order.out / name) as file:
                file.write(page(order.file.name, findings))
    except OSError as cause:
        raise AuditError(
            f"{order.out}: the report cannot be written: {cause.strerror or cause}; give another folder as --out"
        ) from cause
    return findings


def show(findings: Findings, order: AuditOrder, console: Console) -> None:
    """Print the counts, and where the pages are."""
    console.print(findings.headline, highlight=False)
    table = Table(box=None)
    for name in ("check", "objects", "of all", "alone", ""):
        table.add_column(name, justify="left" if name in ("check", "") else "right")
    for each in findings.counts:
        share = f"{each.objects / max(findings.pairs, 1):.2%}"
        table.add_row(each.check, str(each.objects), share, str(each.alone), CHECKS[each.check].about)
    console.print(table)
    console.print(Text(f"report: {order.out / HTML}, {order.out / MARKDOWN}, {order.out / VERDICTS}"), soft_wrap=True)


def _verdict(reviewed: Reviewed) -> dict[str, Any]:
    """Return the row as it was, with its review under `audit`."""
    objections = [
        {
            "check": each.check,
            "words": each.evidence.words,
            "in_original": each.evidence.in_original,
            "in_paraphrase": each.evidence.in_paraphrase,
        }
        for each in reviewed.review.objections
    ]
    review = reviewed.review
    return {
        **reviewed.row.columns,
        "audit": {"accepted": review.accepted, "doubt": round(review.doubt, 3), "objections": objections},
    }


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """Open a file that gets its name when all of it is written. Lone surrogates become question marks."""
    named = path.exists() and not path.is_file()  # /dev/null or a pipe, which is written to and never replaced
    beside = path if named else path.with_name(f"{path.name}.part")
    try:
        with beside.open("w", encoding="utf-8", errors="replace") as file:
            yield file
        if not named:
            beside.replace(path)
    finally:
        if not named:
            beside.unlink(missing_ok=True)


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
