"""Define a run's teacher as the service describes it: state, updates, and uploads of weights."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

OfRun = Annotated[str, Meta(description="The training run.", examples=["qwen3-8b-math"])]
UPLOAD = "27c412618f5e10fe1bd253663af297fe"


class TeacherUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Weights that were taken into the queue of the average."""

    version: Annotated[int, Meta(description="The version that the teacher will have: the step.", examples=[12])]
    alpha: Annotated[
        float,
        Meta(
            description="The share that the teacher keeps of itself, steps that were skipped included.", examples=[0.99]
        ),
    ]


class TeacherState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run's teacher stands."""

    run: OfRun
    version: Annotated[
        int,
        Meta(description="The step of the newest weights in the average; 0 is the model it began with.", examples=[12]),
    ]
    step: Annotated[int, Meta(description="The step of the newest weights that were announced.", examples=[12])]
    alpha: Annotated[
        float | None,
        Meta(description="The share that the average kept of itself at its last update.", examples=[0.99]),
    ]
    model: Annotated[
        str | None,
        Meta(
            description="The model that the teacher began with; null where no teacher is there.", examples=["Qwen3-8B"]
        ),
    ]
    ready: Annotated[bool, Meta(description="A teacher that serves this run was seen lately.", examples=[True])]
    queue: Annotated[int, Meta(description="Labels that are asked for or being made.", examples=[128])]
    waiting: Annotated[int, Meta(description="Requests that wait for labels.", examples=[4])]
    waiting_for: Annotated[
        str | None,
        Meta(
            description="What the labels wait for: `update` (weights that were not announced yet), `average` (weights "
            "that are on their way into it), `teacher` (no teacher is there), `generation`; null when nothing waits.",
            examples=["generation"],
        ),
    ]
    refused: Annotated[str | None, Meta(description="Why announced weights could not be taken.", examples=[None])]
    teachers: Annotated[int, Meta(description="Teacher processes that serve this run.", examples=[1])]


class UploadedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an upload, and how much of the file has arrived."""

    name: Annotated[str, Meta(description="The name of the file.", examples=["model.safetensors"])]
    size: Annotated[int, Meta(description="The bytes that were announced.", examples=[73])]
    received: Annotated[
        int, Meta(description="The bytes that are here: Upload-Offset of the next PATCH.", examples=[0])
    ]


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload. Whole, it is announced by POST /v1/teacher/updates with its path."""

    upload: Annotated[str, Meta(description="Names the upload in the routes below.", examples=[UPLOAD])]
    run: OfRun
    step: Annotated[int, Meta(description="The step whose rollouts are sampled from these weights.", examples=[13])]
    files: Annotated[Sequence[UploadedFile], Meta(description="In the order in which they were announced.")]
    expires_at: Annotated[
        datetime,
        Meta(description="When it is removed if nothing more comes (RFC 3339).", examples=["2026-01-02T03:04:05Z"]),
    ]
    path: Annotated[
        str | None, Meta(description="Below the weights root; null until every file is here.", examples=[None])
    ]
