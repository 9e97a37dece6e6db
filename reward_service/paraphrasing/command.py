"""Define the options of `co-rewarding paraphrase`; the work is imported when called, so that `--help` is fast."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from reward_service.domain.paraphrases.policy import AcceptancePolicy
    from reward_service.domain.paraphrases.rewriting import RewritingRecipe

_INTERRUPTED = 130
_FIELDS, _DRAWING, _ACCEPTING = "Columns", "Drawing", "Accepting"


class RewriteByDefault(TyperGroup):
    """A group in which what is no command's name begins the arguments of `rewrite`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Click's or Typer's, by its version
        """Names the command that was meant."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["rewrite", *args]
        return super().parse_args(ctx, args)


paraphrase_app = typer.Typer(
    cls=RewriteByDefault, no_args_is_help=True, subcommand_metavar="IN OUT --model MODEL | audit FILE"
)

PairsPath = Annotated[Path, typer.Argument(help="Pairs: parquet, JSON lines or a JSON array.", show_default=False)]
SkippedChecks = Annotated[
    list[str] | None,
    typer.Option("--skip", help="A check that is not to be asked (repeat the option).", rich_help_panel=_ACCEPTING),
]
MostDoubt = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="The doubt, by the words alone, that is accepted; by default 0.5.",
        rich_help_panel=_ACCEPTING,
    ),
]
QuestionField = Annotated[str, typer.Option(help="The question's column.", rich_help_panel=_FIELDS)]
GroundTruthField = Annotated[str, typer.Option(help="The answer's column, if there is one.", rich_help_panel=_FIELDS)]
QuestionIdField = Annotated[str, typer.Option(help="The id's column, if there is one.", rich_help_panel=_FIELDS)]


@paraphrase_app.callback()
def paraphrase() -> None:
    """Writes second views of questions with a model, and checks existing pairs.

    `co-rewarding paraphrase IN OUT --model MODEL` rewrites the questions of IN; the word `rewrite` may be left out.

    `co-rewarding paraphrase audit FILE` checks existing pairs without a model.
    """


@paraphrase_app.command(no_args_is_help=True)
def rewrite(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IN",
            help="Questions: parquet, JSON lines, a JSON array, or hf:NAME[:SPLIT] on the Hugging Face hub.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Where the pairs go: .jsonl or .parquet.", show_default=False)
    ],
    model: Annotated[
        str,
        typer.Option(help="A folder or hub name; openai:URL#MODEL or vllm-server:URL#MODEL.", show_default=False),
    ],
    prompts: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt",
            help="paper, reword, scenario or notation; each is tried where the last gave nothing (repeat the option). "
            "By default the first three.",
            rich_help_panel=_DRAWING,
        ),
    ] = None,
    candidates: Annotated[
        int | None, typer.Option(help="How many a prompt draws; by default 1.", rich_help_panel=_DRAWING)
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="By default the paper's 0.7.", rich_help_panel=_DRAWING)
    ] = None,
    top_p: Annotated[float | None, typer.Option(help="By default the paper's 0.8.", rich_help_panel=_DRAWING)] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Of a response; by default 2048.", rich_help_panel=_DRAWING)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="What draws follow from.", rich_help_panel=_DRAWING)] = None,
    backend: Annotated[str, typer.Option(help="auto, transformers or vllm.", rich_help_panel=_DRAWING)] = "auto",
    engine: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="An argument of vLLM's engine, or a field of requests to a URL (repeat the option).",
            rich_help_panel=_DRAWING,
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(help="Of a model at a URL.", envvar="CO_REWARDING_PARAPHRASER_API_KEY", rich_help_panel=_DRAWING),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=4096,
            metavar="1..4096",
            help="Questions under way at once; by default what suits the backend.",
            rich_help_panel=_DRAWING,
        ),
    ] = None,
    skip: SkippedChecks = None,
    most_doubt: MostDoubt = None,
    answers: Annotated[
        int | None,
        typer.Option(
            help="How often the model answers both texts, to compare; by default it does not.",
            rich_help_panel=_ACCEPTING,
        ),
    ] = None,
    least_agreement: Annotated[
        float | None,
        typer.Option(help="The share of answers that must agree; by default 0.5.", rich_help_panel=_ACCEPTING),
    ] = None,
    doubtful: Annotated[
        float | None,
        typer.Option(help="The doubt from which answers are compared; by default 0.", rich_help_panel=_ACCEPTING),
    ] = None,
    embeddings: Annotated[
        str | None,
        typer.Option(help="A model of sentence-transformers that tells how near both are.", rich_help_panel=_ACCEPTING),
    ] = None,
    least_similarity: Annotated[
        float | None,
        typer.Option(help="How near they must be; by default it is only told.", rich_help_panel=_ACCEPTING),
    ] = None,
    unmarked: Annotated[
        bool | None,
        typer.Option("--unmarked", help="Takes a response as it is that holds no marker.", rich_help_panel=_ACCEPTING),
    ] = None,
    fallback: Annotated[
        str | None,
        typer.Option(
            help="What a question gets that nothing is accepted for: leave-out (the default), or same-again, "
            "itself as its second view.",
            rich_help_panel=_ACCEPTING,
        ),
    ] = None,
    question_field: QuestionField = "question",
    ground_truth_field: GroundTruthField = "ground_truth",
    question_id_field: QuestionIdField = "question_id",
) -> None:
    """Rewrites questions with a model, and writes pairs that `co-rewarding train` reads.

    Beside OUT are OUT.report.json with counts, and OUT.candidates.jsonl with each text of the model and its verdict.

    A run that was stopped is in OUT.part: the same command goes on from there.
    """
    from rich.console import Console

    from reward_service.paraphrasing.file_rewriting import RewritingOrder, rewrite_file
    from reward_service.paraphrasing.model_rewriter import open_rewriter
    from reward_service.paraphrasing.pair_files import PairFields
    from reward_service.paraphrasing.prompts import instruction_named

    for name in prompts or ():
        instruction_named(name)
    given = {
        "prompts": tuple(prompts) if prompts else None,
        "candidates": candidates,
        "temperature": temperature,
        "top_p": top_p,
        "max_tokens": max_tokens,
        "seed": seed,
        "answers": answers,
        "least_agreement": least_agreement,
        "doubtful": doubtful,
        "least_similarity": least_similarity,
        "unmarked": unmarked,
        "fallback": fallback,
    }
    recipe = _recipe({name: value for name, value in given.items() if value is not None}, _policy(skip, most_doubt))
    if least_similarity is not None and embeddings is None:
        raise typer.BadParameter("--least-similarity needs --embeddings: a model of sentence-transformers")
    fields = PairFields(question_id=question_id_field, question=question_field, ground_truth=ground_truth_field)
    order = RewritingOrder(source=source, out=out, model=model, recipe=recipe, fields=fields, concurrency=concurrency)
    more = dict(_engine_argument(each) for each in engine or ())
    try:
        rewritten = rewrite_file(
            order,
            lambda: open_rewriter(
                model,
                backend=backend,
                capacity=concurrency,
                api_key=api_key,
                answers=recipe.answers > 0,
                embeddings=embeddings,
                more=more,
            ),
            Console(stderr=True),
        )
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on from here", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    rewritten.tally.show(Console())
    typer.echo(f"{rewritten.pairs} pairs: {out}")
    raise typer.Exit(0 if rewritten.pairs else 1)


@paraphrase_app.command()
def audit(
    file: PairsPath,
    out: Annotated[
        Path | None, typer.Option(help="The report's folder; by default FILE.audit in the current folder.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="How many check at once.")] = 2,
    skip: SkippedChecks = None,
    most_doubt: MostDoubt = None,
    question_field: QuestionField = "question",
    paraphrase_field: Annotated[
        str, typer.Option(help="The paraphrase's column.", rich_help_panel=_FIELDS)
    ] = "paraphrase",
    ground_truth_field: GroundTruthField = "ground_truth",
    question_id_field: QuestionIdField = "question_id",
) -> None:
    """Checks existing pairs without a model, and writes a report: report.html, report.md, verdicts.jsonl.

    Each pair gets a line of JSON: its columns, whether the checks accept it, and each objection with its evidence.
    """
    from rich.console import Console

    from reward_service.paraphrasing.audit import AuditOrder, audit_file, show
    from reward_service.paraphrasing.pair_files import PairFields

    order = AuditOrder(
        file=file,
        out=out or Path(f"{file.name}.audit"),
        fields=PairFields(
            question_id=question_id_field,
            question=question_field,
            paraphrase=paraphrase_field,
            ground_truth=ground_truth_field,
        ),
        policy=_policy(skip, most_doubt),
        processes=processes,
    )
    findings = audit_file(order, Console(stderr=True))
    show(findings, order, Console())


def _recipe(given: dict[str, Any], policy: "AcceptancePolicy") -> "RewritingRecipe":
    from reward_service.domain.paraphrases.rewriting import Fallback, RewritingRecipe

    fallback = given.get("fallback", Fallback.LEAVE_OUT)
    if fallback not in set(Fallback):
        raise typer.BadParameter(f"--fallback {fallback}: one of {', '.join(Fallback)}")
    try:
        return RewritingRecipe(**given | {"fallback": Fallback(fallback), "policy": policy})
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _policy(skip: list[str] | None, most_doubt: float | None) -> "AcceptancePolicy":
    from reward_service.domain.paraphrases.policy import CHECKS, DECIDING, MOST_DOUBT, AcceptancePolicy

    skipped = frozenset(skip or ())
    if unknown := sorted(skipped - CHECKS.keys()):
        raise typer.BadParameter(f"--skip {unknown[0]}: no such check; there are {', '.join(CHECKS)}")
    doubt = MOST_DOUBT if most_doubt is None else most_doubt
    return AcceptancePolicy(DECIDING - skipped, frozenset(CHECKS) - DECIDING - skipped, most_doubt=doubt)


def _engine_argument(setting: str) -> tuple[str, Any]:
    """A key, and its value as JSON or, where it is none, as text."""
    key, equals, value = setting.partition("=")
    if not (key and equals):
        raise typer.BadParameter(f"--engine {setting}: not KEY=VALUE, such as max_model_len=4096")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
