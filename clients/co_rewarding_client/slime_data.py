# pyright: basic
"""Write the data set of slime and miles, both views of a question side by side, and read the labels of its rows.

    python -m co_rewarding_client.slime_data questions.jsonl train.jsonl --n 8 --epochs 4

Each line of questions.jsonl has a question_id, a question, its paraphrase, and a ground_truth if there is one.
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from co_rewarding_schema.errors import CoRewardingError

from co_rewarding_client.errors import invalid
from co_rewarding_client.training import paired


class LabelledSample(Protocol):
    """A sample of the trainer's, with the label of its row; one of evaluation has no `group_index`."""

    group_index: int | None
    label: Any


def rows(
    questions: Iterable[Mapping[str, Any]], n: int, *, epochs: int = 1, seed: int = 0, evaluate: bool = False
) -> list[dict[str, Any]]:
    """Return rows with a prompt and a label, for `--input-key prompt --label-key label`.

    `n` is `--n-samples-per-prompt`. Every epoch has an order of its own, so `--rollout-shuffle` is left out. Rows for
    `--eval-prompt-data` are those of `evaluate`: the original view alone, and labels that say so.

    Raises:
        InvalidRequest: a question lacks a field, two have one question_id, or an evaluation would say nothing.
    """
    made = []
    for row in paired(questions, epochs=epochs, seed=seed):
        names = ("question_id", "view", "ground_truth")
        label = {name: row[name] for name in names if row.get(name) is not None} | {"n": n}
        if not evaluate:
            made.append({"prompt": row["prompt"], "label": label})
        elif row["view"] == "original":
            check_vote(label, n)
            made.append({"prompt": row["prompt"], "label": label | {"evaluate": True}})
    return made


def label_of(sample: LabelledSample) -> Mapping[str, Any]:
    """Return the label of a sample as the fields of a rollout, with `evaluate` where it is for evaluation.

    Evaluation sets may have their own labels: then each is a ground truth. A training set may not, because that would
    be another method.

    Raises:
        InvalidRequest: a label that is not of its set, with what it needs.
    """
    label = sample.label
    if isinstance(label, str) and label.lstrip().startswith("{"):
        try:
            label = json.loads(label)
        except ValueError as error:
            raise invalid(
                f"a label is {label[:80]!r}, which begins with '{{' and is no JSON object ({error}): write a label "
                'with json.dumps, and a ground truth that begins so as {"ground_truth": "{1,2}", "evaluate": true}'
            ) from error
    if not isinstance(label, Mapping) and label is not None and str(label).strip():
        label = {"ground_truth": str(label), "evaluate": True}
    in_training = sample.group_index is not None
    if not isinstance(label, Mapping) or bool(label.get("evaluate")) is in_training:
        kind = "of the training set" if in_training else "of an evaluation set"
        due = "question_id, view and n" if in_training else "a ground truth, or question_id and evaluate = true"
        raise invalid(f"a label {kind} is {str(sample.label)[:80]!r}; it needs {due}: docs/integrations/slime.md")
    return label


def check_vote(label: Mapping[str, Any], size: int) -> None:
    """Refuse an evaluation of `size` responses that says nothing: the vote of one is always right.

    Raises:
        InvalidRequest: with what to give.
    """
    truth = label.get("ground_truth")
    if size == 1 and (truth is None or not str(truth).strip()):
        raise invalid(
            f"the label of an evaluation has no ground_truth ({str(label)[:80]}), and the vote of one response is "
            "always right: give ground truths, or --n-samples-per-eval-prompt and n above 1"
        )


def write(made: list[dict[str, Any]], out: Path) -> None:
    """Write rows as JSON lines, or as Parquet where the name of the file ends so."""
    if out.suffix == ".parquet":
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise invalid(
                f"{out.name} is Parquet, which pyarrow writes: pip install pyarrow, or name a .jsonl"
            ) from error

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(made), out)
    elif out.suffix == ".jsonl":
        out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made), encoding="utf-8")
    else:
        raise invalid(f"{out.name} is neither .jsonl nor .parquet, which are what slime and miles read")


def main(words: list[str] | None = None) -> None:
    """Write a data set of a file of questions."""
    parser = argparse.ArgumentParser(prog="python -m co_rewarding_client.slime_data", description=main.__doc__)
    parser.add_argument("questions", type=Path, help="JSON lines: question_id, question, paraphrase, ground_truth")
    parser.add_argument("out", type=Path, help="a .jsonl or .parquet for --prompt-data or --eval-prompt-data")
    parser.add_argument("--n", type=int, required=True, help="--n-samples-per-prompt, or that of evaluation")
    parser.add_argument("--epochs", type=int, default=1, help="how many orders of the questions to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate", action="store_true", help="write an evaluation set")
    given = parser.parse_args(words)
    try:
        with given.questions.open(encoding="utf-8") as lines:
            questions = [json.loads(line) for line in lines if line.strip()]
        write(rows(questions, given.n, epochs=given.epochs, seed=given.seed, evaluate=given.evaluate), given.out)
    except (CoRewardingError, OSError, ValueError) as error:
        parser.error(f"{given.questions}: {error}" if isinstance(error, ValueError) else str(error))


if __name__ == "__main__":
    main()
