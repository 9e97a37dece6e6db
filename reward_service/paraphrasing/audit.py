"""An audit: the checks over a file of pairs, and a report that a person reads in five minutes."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from reward_service.domain.paraphrases.checks.registry import CHECKS
from reward_service.domain.paraphrases.policy import AcceptancePolicy
from reward_service.paraphrasing.audit_summary import AuditTally, Findings
from reward_service.paraphrasing.errors import AuditError
from reward_service.paraphrasing.html_page import html_page
from reward_service.paraphrasing.markdown_page import markdown_page
from reward_service.paraphrasing.pair_files import PairFields, count_pairs, read_pairs
from reward_service.paraphrasing.reviewing import Reviewed, review_rows

VERDICTS, HTML, MARKDOWN = "verdicts.jsonl", "report.html", "report.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOrder:
    """What to audit and where the report goes: a folder, made if it is not there."""

    file: Path
    out: Path
    fields: PairFields = field(default_factory=PairFields)
    policy: AcceptancePolicy = field(default_factory=AcceptancePolicy)
    processes: int = 2


def audit_file(order: AuditOrder, console: Console) -> Findings:
    """Reviews every pair and writes the report: a line of JSON for each pair, a page as HTML and one as Markdown.

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
        for name, page in ((HTML, html_page), (MARKDOWN, markdown_page)):
            with _whole(order.out / name) as file:
                file.write(page(order.file.name, findings))
    except OSError as cause:
        raise AuditError(
            f"{order.out}: the report cannot be written: {cause.strerror or cause}; give another folder as --out"
        ) from cause
    return findings


def show(findings: Findings, order: AuditOrder, console: Console) -> None:
    """The counts, and where the pages are."""
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
    """The row as it was, and what became of it under `audit`."""
    objections = [
        {
            "check": each.check,
            "words": each.evidence.words,
            "in_original": each.evidence.in_original,
            "in_paraphrase": each.evidence.in_paraphrase,
        }
        for each in reviewed.review.objections
    ]
    return {**reviewed.row.columns, "audit": {"accepted": reviewed.review.accepted, "objections": objections}}


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """A file that takes its name when all of it is written. Lone surrogates become question marks."""
    beside = path.with_name(f"{path.name}.part")
    try:
        with beside.open("w", encoding="utf-8", errors="replace") as file:
            yield file
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _bar(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
