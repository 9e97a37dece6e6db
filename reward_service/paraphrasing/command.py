"""`co-rewarding paraphrase`: its options. What it does is imported when it is called, so that `--help` stays fast."""

from pathlib import Path
from typing import Annotated

import typer

paraphrase_app = typer.Typer(no_args_is_help=True, help="Second views of questions: their quality.")

PairsPath = Annotated[Path, typer.Argument(help="Pairs: parquet, JSON lines or a JSON array.", show_default=False)]
_FIELDS = "Columns"


@paraphrase_app.callback()
def paraphrase() -> None:
    """Second views of questions: their quality."""


@paraphrase_app.command()
def audit(
    file: PairsPath,
    out: Annotated[Path | None, typer.Option(help="The report's folder; by default FILE.audit here.")] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="How many check at once.")] = 2,
    skip: Annotated[list[str] | None, typer.Option(help="A check that is not to be asked (repeat the option).")] = None,
    question_field: Annotated[str, typer.Option(help="The question's column.", rich_help_panel=_FIELDS)] = "question",
    paraphrase_field: Annotated[
        str, typer.Option(help="The paraphrase's column.", rich_help_panel=_FIELDS)
    ] = "paraphrase",
    ground_truth_field: Annotated[
        str, typer.Option(help="The answer's column, if there is one.", rich_help_panel=_FIELDS)
    ] = "ground_truth",
    question_id_field: Annotated[
        str, typer.Option(help="The id's column, if there is one.", rich_help_panel=_FIELDS)
    ] = "question_id",
) -> None:
    """Checks existing pairs without a model, and writes a report: report.html, report.md, verdicts.jsonl.

    Each pair gets a line of JSON: its columns, whether the checks accept it, and each objection with its evidence.
    """
    from rich.console import Console

    from reward_service.domain.paraphrases.policy import Policy
    from reward_service.domain.paraphrases.table import CHECKS
    from reward_service.paraphrasing.audit import AuditOrder, audit_file, show
    from reward_service.paraphrasing.pair_files import PairFields

    skipped = frozenset(skip or ())
    if unknown := sorted(skipped - CHECKS.keys()):
        raise typer.BadParameter(f"--skip {unknown[0]}: no such check; there are {', '.join(CHECKS)}")
    order = AuditOrder(
        file=file,
        out=out or Path(f"{file.stem}.audit"),
        fields=PairFields(
            question_id=question_id_field,
            question=question_field,
            paraphrase=paraphrase_field,
            ground_truth=ground_truth_field,
        ),
        policy=Policy(deciding=frozenset(CHECKS) - skipped),
        processes=processes,
    )
    findings = audit_file(order, Console(stderr=True))
    show(findings, order, Console())
