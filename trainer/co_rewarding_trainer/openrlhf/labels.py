"""Write labels as docs/openrlhf.md defines them: a JSON object that names a question, or a ground truth."""

import json
from typing import Any

from co_rewarding_schema.trainer_formats import LABEL_FIELDS

from co_rewarding_trainer.openrlhf.errors import TrainingSettingsError, nearest


def identity_in(label: str | None) -> dict[str, Any] | None:
    """Reads the JSON object of a label that names a question; None for a ground truth or an empty label.

    Raises:
        TrainingSettingsError: the label begins like such an object and is none; the service would refuse the label.
    """
    content = _object_in(label)
    return content if content is not None and "question_id" in content else None


def truth_in(label: str) -> dict[str, Any]:
    """Reads a label that names no question: its ground truth, and what else the label says.

    Raises:
        TrainingSettingsError: as `identity_in`.
    """
    content = _object_in(label)
    return {"ground_truth": label} if content is None else content


def evaluation_label(truth: str, run: str) -> str:
    """Writes the label of an evaluation: the ground truth that its rollouts are compared with, apart from the run."""
    return json.dumps({"ground_truth": truth, "run": run, "evaluate": True}, ensure_ascii=False)


def _object_in(label: str | None) -> dict[str, Any] | None:
    if label is None or not label.lstrip().startswith("{"):
        return None
    try:
        content: dict[str, Any] = json.loads(label)
    except (ValueError, RecursionError) as cause:
        raise TrainingSettingsError(
            f"the label {label[:60]!r} begins with '{{' and is no JSON object ({cause}): write labels with json.dumps, "
            'and a ground truth that begins so as {"ground_truth": "..."}.'
        ) from cause
    for name in content:
        if name not in LABEL_FIELDS:
            raise TrainingSettingsError(
                f"the label {label[:60]!r} has a field {name!r}, which is none: {nearest(name, LABEL_FIELDS)}"
            )
    if "question_id" not in content and not isinstance(content.get("ground_truth"), str):
        raise TrainingSettingsError(f"the label {label[:60]!r} has neither a question_id nor a ground_truth.")
    return content


def labelled(label: str, **fields: object) -> str:
    """Adds these fields to a label that names a question; other labels stay unchanged."""
    identity = identity_in(label)
    return label if identity is None else json.dumps(identity | fields)
