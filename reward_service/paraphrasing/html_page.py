"""The report as one HTML file that needs nothing beside it, for five minutes of a person's time."""

from collections.abc import Iterator, Sequence
from html import escape

from reward_service.domain.paraphrases.checks.registry import CHECKS
from reward_service.domain.paraphrases.pair import Span
from reward_service.paraphrasing.audit_summary import Findings
from reward_service.paraphrasing.highlight import stretches
from reward_service.paraphrasing.reviewing import Reviewed

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
    """The page; everything of the pairs is escaped."""
    return "".join(_page(name, findings))


def _page(name: str, findings: Findings) -> Iterator[str]:
    title = f"Paraphrases in {escape(name)}"
    yield f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>\n'
    yield f"<h1>{title}</h1>\n<p>{findings.headline}</p>\n"
    yield from _counts(findings)
    if findings.worst:
        yield "<h2>The worst first</h2>\n"
        yield "<p>Question on the left, paraphrase on the right; what the checks saw is marked.</p>\n"
        yield from map(_pair, findings.worst)
    for check, examples in findings.examples:
        yield f'<h2 id="{check}">{check}: {escape(CHECKS[check].about)}</h2>\n'
        yield from map(_pair, examples)
    yield "</body></html>\n"


def _counts(findings: Findings) -> Iterator[str]:
    yield '<table><tr><th>check<th class="n">objects<th class="n">of all<th class="n">alone<th>what it holds</tr>\n'
    for count in findings.counts:
        link = f'<a href="#{count.check}">{count.check}</a>' if count.objects else count.check
        yield f'<tr><td>{link}<td class="n">{count.objects:,}<td class="n">{count.objects / max(findings.pairs, 1):.2%}'
        yield f'<td class="n">{count.alone:,}<td>{escape(CHECKS[count.check].about)}</tr>\n'
    yield "</table>\n"


def _pair(reviewed: Reviewed) -> str:
    row, objections = reviewed.row, reviewed.review.objections
    whys = "".join(f'<p class="why">{each.check}: {escape(each.evidence.words)}</p>' for each in objections)
    answer = "" if row.ground_truth is None else f", answer {escape(row.ground_truth[:80])}"
    question = _marked(row.question, [span for each in objections for span in each.evidence.in_original])
    paraphrase = _marked(row.paraphrase, [span for each in objections for span in each.evidence.in_paraphrase])
    return (
        f'<div class="pair"><span class="id">{escape(row.question_id[:80])}, row {row.number}{answer}</span>{whys}'
        f'<div class="texts"><div class="q">{question}</div><div>{paraphrase}</div></div></div>\n'
    )


def _marked(text: str, spans: Sequence[Span]) -> str:
    return "".join(
        f"<mark>{escape(each.text)}</mark>" if each.marked else escape(each.text) for each in stretches(text, spans)
    )
