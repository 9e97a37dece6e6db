"""Draw the demo in a terminal, step by step, from the series that it has recorded.

`python -m scripts.site.terminal runs/demo/series.json` writes docs/pictures/demo-terminal.svg.
"""

import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from co_rewarding_trainer.demo import progress_columns, shown
from co_rewarding_trainer.loop import HeldOutAccuracy, LoopConfig, StepReport, TrainingLog
from co_rewarding_trainer.report import DemoReport, MethodReport
from rich.console import Console
from rich.progress import Progress
from rich.terminal_theme import MONOKAI

from scripts.site.pictures import FOLDER

PICTURE = FOLDER / "demo-terminal.svg"
COLUMNS, LINES = 80, 18
SCREENS_OF_A_METHOD = 4
FONT = "ui-monospace, Menlo, Consolas, DejaVu Sans Mono"
"""In place of rich's, which comes from another host."""

SCREEN_S, LAST_S = 0.8, 6.0


def report_of(series: Path) -> DemoReport:
    """Read what the demo has recorded."""
    recorded = json.loads(series.read_text())
    return DemoReport(
        LoopConfig(**recorded["config"]),
        tuple(
            MethodReport(
                each["method"],
                each["run"],
                each["took_s"],
                TrainingLog(
                    tuple(StepReport(**step) for step in each["training"]["steps"]),
                    tuple(HeldOutAccuracy(**found) for found in each["training"]["evaluations"]),
                ),
            )
            for each in recorded["methods"]
        ),
    )


def screens(report: DemoReport) -> list[str]:
    """Return the terminal as SVG at some moments of the demo, the last with the table."""
    parts = [(place, share / SCREENS_OF_A_METHOD) for place in range(len(report.methods)) for share in range(4)]
    moments = [*parts, (len(report.methods), 0.0)]
    return [_screen(report, place, share, f"s{number}") for number, (place, share) in enumerate(moments)]


def animated(frames: Sequence[str]) -> str:
    """Return one SVG that shows the frames in turn; the last one alone to whoever wants no motion."""
    total = SCREEN_S * (len(frames) - 1) + LAST_S
    head = re.match(r"<svg[^>]*>", frames[0])
    assert head is not None, "rich writes an svg"
    style, bodies = [], []
    for number, frame in enumerate(frames):
        begin, end = 100 * number * SCREEN_S / total, 100 * (number + 1) * SCREEN_S / total
        end = 100.0 if number == len(frames) - 1 else end
        hidden = "" if number == len(frames) - 1 else "opacity: 0;"
        style.append(
            f".f{number} {{ {hidden} animation: k{number} {total:g}s step-end infinite }} "
            f"@keyframes k{number} {{ 0% {{ opacity: {int(number == 0)} }} {begin:.3f}% {{ opacity: 1 }} "
            f"{end:.3f}% {{ opacity: {int(number == len(frames) - 1)} }} }}"
        )
        body = frame.removeprefix(re.match(r"<svg[^>]*>", frame)[0]).rpartition("</svg>")[0]
        bodies.append(f'<g class="f{number}">{body}</g>')
    still = "@media (prefers-reduced-motion: reduce) { g[class^=f] { animation: none } }"
    title = "<title>The demo in a terminal: a bar for each method, and the table of accuracies</title>"
    return f"{head[0]}{title}<style>{' '.join(style)} {still}</style>{''.join(bodies)}</svg>\n"


def _screen(report: DemoReport, place: int, share: float, name: str) -> str:
    """Draw the terminal while the method at this place has trained for this share of its steps."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print("$ make demo", style="bold")
    progress = Progress(*progress_columns(), console=console, auto_refresh=False, get_time=lambda: 0.0)
    for number, each in enumerate(report.methods[: place + 1]):
        steps = each.training.steps
        done = len(steps) if number < place else int(share * len(steps))
        task = progress.add_task(each.method, total=len(steps), shown="")
        if done:
            latest = [found for found in each.training.evaluations if found.step <= done][-1]
            progress.update(task, completed=done, shown=shown(steps[done - 1], latest))
    console.print(progress.get_renderable())
    if place == len(report.methods):
        console.print(report.table())
    lines = console.export_text(clear=False).count("\n")
    console.print("\n" * max(LINES - lines - 1, 0), end="")
    drawn = console.export_svg(title="co-rewarding", theme=MONOKAI, unique_id=name)
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL).replace("Fira Code", FONT)


def main() -> None:
    """Draw the picture from the series that the command line names."""
    PICTURE.write_text(animated(screens(report_of(Path(sys.argv[1])))))


if __name__ == "__main__":
    main()
