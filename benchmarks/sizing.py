"""Say what to run for a training of some size, and what is full first: `python -m benchmarks.sizing --nodes 64`.

The costs of a rollout are those that `make bench-unit-costs` wrote. What GPUs generate is computed from their peak and
the share of it that generation reaches: measure yours, and give --share-of-peak or --tokens-per-s.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.held_many import HeldMany
from benchmarks.sizing_model import BATCHES, CALLS, FULL, PROMPTS_PER_NODE, Training, most_per_s, size_of
from benchmarks.sizing_page import PAGE, table_rows, written_again
from benchmarks.two_nodes import TwoNodes
from benchmarks.unit_costs import FILE, UnitCosts

NIC_GBIT = 25.0
SHORT = {"256": BATCHES, "16": CALLS[1], "singles": CALLS[2]}
BILLION = {"B": 1e9, "M": 1e6}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def parameters_of(model: str) -> float:
    """The parameters of a model of a size such as 8B or 500M.

    Raises:
        typer.BadParameter: it is none.
    """
    number, unit = model[:-1], model[-1:].upper()
    try:
        parameters = float(number) * BILLION[unit]
    except (KeyError, ValueError) as cause:
        raise typer.BadParameter(f"{model}: write the parameters as 8B or 500M", param_hint="--model") from cause
    if not 1e6 <= parameters <= 1e14:
        raise typer.BadParameter(f"{model}: from 1M to 100000B", param_hint="--model")
    return parameters


@app.command(help=__doc__)
def main(
    nodes: Annotated[int, typer.Option(min=1, max=100_000, help="Machines that generate.")] = 64,
    gpus: Annotated[int, typer.Option(min=1, max=1024, help="GPUs of each.")] = 8,
    model: Annotated[str, typer.Option(help="Parameters of the policy, such as 8B.")] = "8B",
    group: Annotated[int, typer.Option(min=1, max=4096, help="Rollouts of one view of a question (G).")] = 16,
    views: Annotated[int, typer.Option(min=1, max=2, help="2 where paraphrases are sampled.")] = 2,
    prompts: Annotated[
        int | None, typer.Option(min=1, max=10**7, help="Questions of a step; by default 8 for each node.")
    ] = None,
    response_tokens: Annotated[float, typer.Option(min=1, max=1e7, help="Of a response, on average.")] = 1750.0,
    tflops: Annotated[float, typer.Option(min=1, max=1e6, help="Peak of a GPU in the type of the weights.")] = 989.0,
    share_of_peak: Annotated[float, typer.Option(min=0.001, max=1, help="That generation reaches.")] = 0.25,
    tokens_per_s: Annotated[
        float | None, typer.Option(min=1, max=1e9, help="That one GPU generates, where it was measured.")
    ] = None,
    calls: Annotated[str, typer.Option(help="How rollouts are sent: batches of 256 or 16, or singles.")] = "256",
    retention_s: Annotated[float, typer.Option(min=1, max=3e8, help="How long settled work is kept.")] = 86_400.0,
    nic_gbit: Annotated[float, typer.Option(min=0.1, max=1e4, help="Network of the API's machine.")] = NIC_GBIT,
    costs: Annotated[Path, typer.Option(exists=True, help="What a rollout costs.")] = FILE,
    write: Annotated[bool, typer.Option("--write", help="Writes the tables of docs/sizing.md anew.")] = False,
) -> None:
    """Prints what to run, and what is full first."""
    if calls not in SHORT:
        raise typer.BadParameter(f"{calls}: one of {', '.join(SHORT)}", param_hint="--calls")
    measured = UnitCosts.read(costs)
    if write:
        PAGE.write_text(written_again(PAGE.read_text(), measured, TwoNodes.read(), HeldMany.read()))
        return
    training = Training(
        nodes=nodes,
        gpus=gpus,
        parameters=parameters_of(model),
        group=group,
        views=views,
        prompts=PROMPTS_PER_NODE * nodes if prompts is None else prompts,
        response_tokens=response_tokens,
        tflops=tflops,
        share_of_peak=share_of_peak,
        calls=SHORT[calls],
        retention_s=retention_s,
    )
    if tokens_per_s is not None:
        training = replace(training, share_of_peak=tokens_per_s * 2 * training.parameters / (tflops * 1e12))
    console = Console()
    table = Table("", "", title=f"{nodes} nodes of {gpus} GPUs, {model}, {training.calls}", show_header=False)
    for what, figure in table_rows(training, size_of(measured, training)):
        table.add_row(what, figure)
    console.print(table)
    limits = Table("full first", "at rollouts/s", title=f"One process of each, {FULL:.0%} busy", title_justify="left")
    for part, per_s in sorted(most_per_s(measured, training, nic_gbit).items(), key=lambda limit: limit[1]):
        limits.add_row(part, f"{per_s:,.0f}")
    console.print(limits)


if __name__ == "__main__":
    app()
