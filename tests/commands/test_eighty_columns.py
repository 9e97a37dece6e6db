"""A terminal of 80 columns: every help and every table fits, nothing is cut off, and help tells each default."""

import inspect
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from co_rewarding_schema.methods import METHODS
from co_rewarding_schema.vocabulary import Abstention, View
from co_rewarding_trainer.loop import HeldOutAccuracy, StepReport, TrainingLog
from co_rewarding_trainer.report import DemoReport, LoopConfig, MethodReport
from rich.console import Console

from reward_service.cli import app
from reward_service.domain.paraphrases.rewriting import Fate, RewritingRecipe
from reward_service.paraphrasing.rewriter import REASONS, RewritingTally
from reward_service.tools.replay.comparing import Agreement, ColumnFigures, RewardFigures, Share
from reward_service.tools.replay.comparison import FIGURES, Comparison, print_comparison
from reward_service.tools.replay.fields import FieldNames, layout_of
from reward_service.tools.replay.recording import RecordingCounts
from reward_service.tools.replay.report import print_summary
from reward_service.tools.replay.tally import Totals
from tests.commands.calling import CommandLine, command_line
from tests.commands.test_hostile_options import commands
from tests.support.rollout_files import jsonl

COLUMNS = 80
NARROW = {"COLUMNS": str(COLUMNS), "TERMINAL_WIDTH": str(COLUMNS)}
CUT = "…"
COMMANDS = dict(commands(typer.main.get_command(app)))
GROUPS = ["", "paraphrase"]
MANY = 10**7 - 1


@pytest.fixture(scope="module")
def call() -> Iterator[CommandLine]:
    with command_line() as calls:
        yield calls


def fits(text: str) -> None:
    """The text is there, no line is too long and nothing is cut."""
    assert text.strip()
    wide = [line for line in text.splitlines() if len(line) > COLUMNS]
    assert not wide, wide
    assert CUT not in text, [line for line in text.splitlines() if CUT in line]


def unframed(text: str) -> str:
    """The words of a help without its frames, and without the spaces that wrapping has put in."""
    return "".join(re.sub(r"[│╭╮╰╯─*]", " ", text).split())


@pytest.mark.parametrize("words", [*GROUPS, *COMMANDS])
def test_help_fits(call: CommandLine, tmp_path: Path, words: str):
    ended = call([*words.split(), "--help"], folder=tmp_path, environment=NARROW)
    assert (ended.code, ended.err) == (0, "")
    fits(ended.out)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_paragraph_of_help_is_wrapped_by_the_terminal_alone(words: str):
    """Typer keeps the line ends of each paragraph but the first."""
    callback = COMMANDS[words].callback
    assert callback is not None
    paragraphs = (inspect.getdoc(callback) or "").split("\n\n")
    assert paragraphs[0]
    assert not [each for each in paragraphs[1:] if "\n" in each]


@pytest.mark.parametrize("words", COMMANDS)
def test_help_tells_every_default(call: CommandLine, tmp_path: Path, words: str):
    lines = call([*words.split(), "--help"], folder=tmp_path).out.splitlines()
    for parameter in COMMANDS[words].params:
        if parameter.default in (None, False, ()) or parameter.required:
            continue
        (line,) = [line for line in lines if re.search(rf"{re.escape(parameter.opts[0])}\s", line)]
        after = " ".join(lines[lines.index(line) : lines.index(line) + 4])
        assert f"default:{parameter.default}".replace(" ", "") in unframed(after), line


def test_an_audit_fits(call: CommandLine, tmp_path: Path):
    rows = [
        {"question": f"Tom has {n} apples and eats 2. How many are left?", "paraphrase": f"Tom eats {n + 1} pears."}
        for n in range(3, 40)
    ]
    jsonl(tmp_path / "pairs.jsonl", rows)
    words = ["paraphrase", "audit", "pairs.jsonl", "--processes", "1", "--out", "audit"]
    ended = call(words, folder=tmp_path, environment=NARROW)
    assert ended.code == 0, ended.err
    fits(ended.out)


def comparison() -> Comparison:
    """Every method, graded by the grader with the longest name, with wide figures."""
    rewards = RewardFigures(MANY, 0.451, 0.498, Share(54, 1000), 0.863)
    columns = [
        ColumnFigures(name, "math-verify", Share(452, 1000), Share(996, 1000), rewards, MANY, 500, 4387.069, 99387.069)
        for name in METHODS
    ]
    pairs = [(one, other) for other in range(len(columns)) for one in range(other)]
    agreements = [Agreement(one, other, Share(98, 100), Share(97, 100)) for one, other in pairs]
    counts = RecordingCounts(
        questions=MANY,
        with_truth=MANY,
        one_view=0,
        steps=MANY,
        groups={View.ORIGINAL: MANY},
        rollouts=MANY,
        answered=MANY,
    )
    return Comparison("math-verify", counts, columns, agreements, 0)


def summary() -> Totals:
    reasons = dict.fromkeys(Abstention, MANY)
    unanswered = {"truncated: the text ends before an answer": MANY}
    return Totals(
        max(METHODS, key=len), MANY, MANY, MANY, MANY, MANY, 0.5, 3.25, 0.5, MANY, 0.5, MANY, reasons, unanswered,
        {view.value: MANY for view in View},
    )  # fmt: skip


def of_rewriting() -> RewritingTally:
    tally = RewritingTally(RewritingRecipe())
    tally.fates.update(dict.fromkeys(Fate, MANY))
    tally.rejected_by.update(dict.fromkeys(REASONS, MANY))
    return tally


def of_the_demo() -> DemoReport:
    log = TrainingLog((StepReport(0, 0.5, 0.5, 0.5),), (HeldOutAccuracy(0, 0.5),))
    return DemoReport(LoopConfig(), tuple(MethodReport(name, "run", 99999.0, log) for name in METHODS))


LAYOUT = layout_of([{"question": "q", "response": "r"}], FieldNames(), "file")
TABLES: dict[str, Callable[[Console], object]] = {
    "replay": lambda console: print_comparison(comparison(), (), console),
    "score": lambda console: print_summary(summary(), LAYOUT, console),
    "paraphrase rewrite": lambda console: of_rewriting().show(console),
    "demo": lambda console: console.print(of_the_demo().table()),
}


def printed(name: str) -> str:
    file = io.StringIO()
    TABLES[name](Console(file=file, width=COLUMNS, force_terminal=True, color_system=None, legacy_windows=False))
    return file.getvalue()


@pytest.mark.parametrize("name", TABLES)
def test_tables_fit(name: str):
    # Sentences above and below are wrapped by the terminal itself.
    fits("\n".join(line for line in printed(name).splitlines() if line[:1] in " │┃┏┡└├"))


def test_a_table_in_parts_names_its_rows_in_each_and_shows_every_figure():
    parts = printed("replay").split("agreement: ")[0].split(" #  method ")[1:]
    assert len(parts) > 1
    for part in parts:
        assert part.count("majority-voting-union") == 1
    last_words = [figure.split()[-1] for figure in FIGURES]
    heads = " ".join(part.splitlines()[0] for part in parts).split()
    assert [word for word in heads if word in last_words] == last_words
