"""The report as Markdown. The texts of pairs stand in fences, where nothing in them is markup."""

import re
from collections.abc import Iterator

from reward_service.domain.paraphrases.checks.registry import CHECKS
from reward_service.paraphrasing.audit_summary import Findings
from reward_service.paraphrasing.highlight import stretches
from reward_service.paraphrasing.reviewing import Reviewed

_RUN = re.compile(r"`{3,}")
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&])")


def markdown_page(name: str, findings: Findings) -> str:
    """The page."""
    return "".join(f"{line}\n" for line in _lines(name, findings))


def _lines(name: str, findings: Findings) -> Iterator[str]:
    yield from (f"# Paraphrases in {_plain(name)}", "", findings.headline, "")
    yield from ("| check | objects | of all | alone | what it holds |", "|---|---:|---:|---:|---|")
    for count in findings.counts:
        share = count.objects / max(findings.pairs, 1)
        about = CHECKS[count.check].about
        yield f"| {count.check} | {count.objects:,} | {share:.2%} | {count.alone:,} | {about} |"
    if findings.worst:
        yield from ("", "## The worst first")
        for reviewed in findings.worst:
            yield from _pair(reviewed)
    for check, examples in findings.examples:
        yield from ("", f"## {check}: {CHECKS[check].about}")
        for reviewed in examples:
            yield from _pair(reviewed)


def _pair(reviewed: Reviewed) -> Iterator[str]:
    row = reviewed.row
    answer = "" if row.ground_truth is None else f", answer {_plain(row.ground_truth[:80])}"
    yield from ("", f"**{_plain(row.question_id[:80])}**, row {row.number}{answer}", "")
    yield from (f"- {each.check}: {_plain(each.evidence.words)}" for each in reviewed.review.objections)
    for text in (row.question, row.paraphrase):
        shown = "".join(each.text for each in stretches(text, ()))
        fence = "`" * max([3, *(len(run) + 1 for run in _RUN.findall(shown))])
        yield from ("", f"{fence}text", shown.strip("\n"), fence)


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
