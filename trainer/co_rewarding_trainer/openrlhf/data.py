"""Make the data set of a run: a row a question, with its prompts and the labels that name its cohorts.

OpenRLHF's only side channel is the label. Ours are JSON objects, as docs/openrlhf.md says: they tell the service which
question and view a rollout belongs to. In evaluation a label has the ground truth.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from co_rewarding_schema.errors import InvalidRunError
from co_rewarding_schema.run_names import evaluation_run
from rich.progress import track

from co_rewarding_trainer.folders import made_folder
from co_rewarding_trainer.openrlhf.errors import DataError
from co_rewarding_trainer.openrlhf.labels import evaluation_label
from co_rewarding_trainer.openrlhf.recipe import Recipe
from co_rewarding_trainer.openrlhf.sources import SourceQuestion, read_questions

Messages = list[dict[str, str]]
Prompt = str | Messages
Paraphraser = Callable[[Sequence[SourceQuestion]], Mapping[str, str]]
"""Questions → paraphrases by question_id, without those that could not be written."""
PromptTokens = Callable[[Prompt], int]

PARAPHRASES_PER_REQUEST = 32


@dataclass(frozen=True, kw_only=True)
class DatasetCounts:
    """How many questions were kept and left out, and why; written beside the data set."""

    source: str
    questions: int
    rows: int
    views: str
    paraphrases_missing: int = 0
    paraphrases_written: int = 0
    dropped_without_paraphrase: int = 0
    dropped_without_ground_truth: int = 0
    dropped_too_long: int = 0
    longest_prompt_tokens: int | None = None
    """None where no tokenizer was at hand: then nothing was dropped for its length."""
    with_ground_truth: int = 0
    """All rows, or none."""
    sha256: str = ""


def make_dataset(
    recipe: Recipe,
    path: Path,
    *,
    paraphraser: Paraphraser | None = None,
    prompt_tokens: PromptTokens | None = None,
) -> DatasetCounts:
    """Writes the questions to train on as JSON lines, and their counts as <name>.counts.json.

    A row is {"question_id", "original", "label_original"} and, with both views, "paraphrase" and "label_paraphrase".
    The same questions make the same bytes. A file is never half written.

    Raises:
        DataError: the source is wrong, a paraphrase or a ground truth is missing that must be there, nothing is left,
            or the folder cannot be written.
    """
    data = recipe.data
    questions = read_questions(data.source, data.column, id_prefix=data.question_id_prefix, limit=data.max_questions)
    counts = DatasetCounts(source=data.source, questions=len(questions), rows=0, views=recipe.views)
    questions, counts = _with_ground_truths(recipe, questions, counts)
    if recipe.views == "both":
        questions, counts = _with_paraphrases(recipe, questions, counts, paraphraser)
    return _write_rows(path, counts, recipe, _rows(recipe, questions, prompt_tokens))


def make_evaluation(recipe: Recipe, path: Path) -> DatasetCounts:
    """Writes the questions to evaluate on: {"input", "label", "datasource"}; the label has the ground truth.

    Prompt and label are repeated under their names of the training set: OpenRLHF uses one pair of names for both sets.

    Raises:
        DataError: as `make_dataset`, for a question without a ground truth, and for a run whose name is too long.
    """
    evaluation = recipe.evaluation
    assert evaluation.source is not None, "a recipe without evaluation makes no such file"
    try:
        evaluation_run(recipe.run.name)
    except InvalidRunError as cause:
        raise DataError(f"run.name: {cause}") from cause
    columns = evaluation.column.model_copy(update={"paraphrase": ""})
    questions = read_questions(evaluation.source, columns, limit=evaluation.max_questions)
    if blank := sum(each.ground_truth is None for each in questions):
        raise DataError(
            f"{evaluation.source}: {blank} of {len(questions)} questions have no ground truth to be evaluated by; set "
            "evaluation.column.ground_truth, or take them out"
        )

    def rows() -> Iterator[tuple[dict[str, Any], int | None]]:
        for each in questions:
            prompt, truth = _prompt(recipe, each.question), evaluation_label(each.ground_truth or "", recipe.run.name)
            training = {"original": prompt, "label_original": truth}
            yield {"input": prompt, "label": truth, "datasource": evaluation.name} | training, None

    counts = DatasetCounts(source=evaluation.source, questions=len(questions), rows=0, views="original")
    return _write_rows(path, counts, recipe, rows())


def label(recipe: Recipe, question: SourceQuestion, view: str) -> str:
    """Writes the label of one view: the cohort of its rollouts, and the ground truth if the question has one."""
    identity = {"question_id": question.question_id, "view": view, "n": recipe.run.group_size, "run": recipe.run.name}
    truth = {} if question.ground_truth is None else {"ground_truth": question.ground_truth}
    return json.dumps(identity | truth, ensure_ascii=False)


def _with_ground_truths(
    recipe: Recipe, questions: list[SourceQuestion], counts: DatasetCounts
) -> tuple[list[SourceQuestion], DatasetCounts]:
    """Keeps ground truths for all questions or for none: OpenRLHF stops if rollouts of a batch log different names."""
    known = [each for each in questions if each.ground_truth is not None]
    if len(known) == len(questions):
        return questions, counts
    if recipe.data.on_missing_ground_truth == "drop" and known:
        return known, replace(counts, dropped_without_ground_truth=len(questions) - len(known))
    if recipe.method.needs_ground_truth:
        raise DataError(
            f"{recipe.data.source}: {len(questions) - len(known)} of {len(questions)} questions have no ground truth, "
            f"which {recipe.run.method} rewards by; set data.column.ground_truth, or leave them out: "
            'data.on_missing_ground_truth = "drop"'
        )
    return [replace(each, ground_truth=None) for each in questions], counts


def _with_paraphrases(
    recipe: Recipe, questions: list[SourceQuestion], counts: DatasetCounts, paraphraser: Paraphraser | None
) -> tuple[list[SourceQuestion], DatasetCounts]:
    missing = [each for each in questions if each.paraphrase is None]
    policy = recipe.data.on_missing_paraphrase
    if not missing:
        return questions, counts
    if policy == "fail" or (policy == "ask" and paraphraser is None):
        why = "" if policy == "fail" else ", and this service does not write paraphrases"
        raise DataError(
            f"{recipe.data.source}: {len(missing)} of {len(questions)} questions have no paraphrase{why}; give a "
            'source that has them (data.column.paraphrase), or leave them out: data.on_missing_paraphrase = "drop"'
        )
    written: dict[str, str] = {}
    if policy == "ask":
        assert paraphraser is not None, "refused above"
        starts = range(0, len(missing), PARAPHRASES_PER_REQUEST)
        for start in track(starts, description="paraphrases", transient=True):
            written |= paraphraser(missing[start : start + PARAPHRASES_PER_REQUEST])
    whole = [
        each if each.paraphrase is not None else replace(each, paraphrase=written[each.question_id])
        for each in questions
        if each.paraphrase is not None or each.question_id in written
    ]
    return whole, replace(
        counts,
        paraphrases_missing=len(missing),
        paraphrases_written=len(written),
        dropped_without_paraphrase=len(questions) - len(whole),
    )


def _rows(
    recipe: Recipe, questions: Iterable[SourceQuestion], prompt_tokens: PromptTokens | None
) -> Iterator[tuple[dict[str, Any], int | None]]:
    """Yields the rows, each with the length of its longest prompt."""
    for each in questions:
        texts = {"original": each.question}
        if recipe.views == "both":
            assert each.paraphrase is not None, "a question without one was left out"
            texts["paraphrase"] = each.paraphrase
        prompts = {view: _prompt(recipe, text) for view, text in texts.items()}
        labels = {f"label_{view}": label(recipe, each, view) for view in texts}
        longest = None if prompt_tokens is None else max(prompt_tokens(prompt) for prompt in prompts.values())
        yield {"question_id": each.question_id, **prompts, **labels}, longest


def _prompt(recipe: Recipe, text: str) -> Prompt:
    """Makes a prompt: chat messages for the tokenizer's template, or text for a model without a template."""
    system = recipe.data.system_prompt
    if not recipe.data.chat_template:
        return f"{system}\n\n{text}\n" if system else f"{text}\n"
    opening = [{"role": "system", "content": system}] if system else []
    return [*opening, {"role": "user", "content": text}]


def _write_rows(
    path: Path, counts: DatasetCounts, recipe: Recipe, rows: Iterable[tuple[dict[str, Any], int | None]]
) -> DatasetCounts:
    kept = too_long = truths = 0
    longest: int | None = None
    digest = hashlib.sha256()
    total = counts.questions - counts.dropped_without_paraphrase - counts.dropped_without_ground_truth
    with _atomic_file(path) as file:
        for row, tokens in track(rows, description=path.stem, total=total, transient=True):
            if tokens is not None and tokens > recipe.data.prompt_max_tokens:
                too_long += 1
                continue
            longest = longest if tokens is None else max(tokens, longest or 0)
            truths += "label" in row or '"ground_truth": ' in row["label_original"]
            line = (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8", "replace")
            digest.update(line)
            file.write(line)
            kept += 1
        if not kept:
            raise DataError(
                f"{counts.source}: of {counts.questions} questions none is left ({too_long} too long, "
                f"{counts.dropped_without_paraphrase} without paraphrase); raise data.prompt_max_tokens, or give "
                "another source"
            )
    done = replace(
        counts,
        rows=kept,
        dropped_too_long=too_long,
        longest_prompt_tokens=longest,
        with_ground_truth=truths,
        sha256=digest.hexdigest(),
    )
    with _atomic_file(path.with_suffix(".counts.json")) as file:
        file.write((json.dumps(asdict(done), indent=1) + "\n").encode())
    return done


@contextmanager
def _atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file that gets its name only when complete: a run that is killed keeps the old file."""
    try:
        with (
            made_folder(path.parent),
            tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file,
        ):
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.fchmod(file.fileno(), 0o644)  # Ray's workers may be another user's
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as cause:
        raise DataError(f"{path}: cannot be written ({cause.strerror}); give another --output") from cause
