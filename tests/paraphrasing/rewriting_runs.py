"""A file of questions that is rewritten here by a script, and a run of it that stops half-way."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from reward_service.domain.paraphrases.rewriting import RewritingRecipe
from reward_service.generation.generator import Prompt, Sampling
from reward_service.paraphrasing.file_rewriting import OpenRewriter, RewritingOrder, Rewritten, rewrite_file
from reward_service.paraphrasing.model_rewriter import ModelRewriter
from tests.paraphrasing.apples import script
from tests.support.scripted_generator import Script, ScriptedGenerator

RECIPE = RewritingRecipe(prompts=("reword", "scenario"))


class Stopped(Exception):
    """As if the process had ended here."""


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def order_of(folder: Path, rows: Sequence[dict[str, Any]], out: str = "out.jsonl", **more: Any) -> RewritingOrder:
    source = write_lines(folder / "in.jsonl", rows)
    return RewritingOrder(source=str(source), out=folder / out, model="m", recipe=RECIPE, **more)


def run(order: RewritingOrder, generator: ScriptedGenerator | Script = script) -> Rewritten:
    model = generator if isinstance(generator, ScriptedGenerator) else ScriptedGenerator(generator)
    return rewrite_file(order, opening_of(model), Console(quiet=True))


def opening_of(generator: ScriptedGenerator) -> OpenRewriter:
    @contextlib.asynccontextmanager
    async def opening() -> AsyncIterator[ModelRewriter]:
        yield ModelRewriter(generator)

    return opening


def stopping_after(count: int) -> ScriptedGenerator:
    def stop(prompt: Prompt, sampling: Sampling) -> list[str]:
        if len(generator.asked) > count:
            raise Stopped
        return script(prompt, sampling)

    generator = ScriptedGenerator(stop)
    return generator


def not_opened() -> Any:
    raise AssertionError("the model was opened")
