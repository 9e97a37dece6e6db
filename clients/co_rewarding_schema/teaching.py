"""Define a run's teacher as the service describes it: state, updates, and uploads of weights."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta


class TeacherUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Weights that were taken into the queue of the average."""

    version: Annotated[int, Meta(description="The version that the teacher will have: the step.")]
    alpha: Annotated[
        float, Meta(description="The share that the teacher keeps of itself, steps that were skipped included.")
    ]


class TeacherState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run's teacher stands."""

    run: str
    version: Annotated[
        int, Meta(description="The step of the newest weights in the average; 0 is the model it began with.")
    ]
    step: Annotated[int, Meta(description="The step of the newest weights that were announced.")]
    alpha: Annotated[float | None, Meta(description="The share that the average kept of itself at its last update.")]
    model: str | None
    ready: Annotated[bool, Meta(description="A teacher that serves this run was seen lately.")]
    queue: Annotated[int, Meta(description="Labels that are asked for or being made.")]
    waiting: Annotated[int, Meta(description="Requests that wait for labels.")]
    waiting_for: Annotated[
        str | None,
        Meta(
            description="What the labels wait for: `update` (weights that were not announced yet), `average` (weights "
            "that are on their way into it), `teacher` (no teacher is there), `generation`; null when nothing waits."
        ),
    ]
    refused: Annotated[str | None, Meta(description="Why announced weights could not be taken.")]
    teachers: Annotated[int, Meta(description="Teacher processes that serve this run.")]


class UploadedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an upload, and how much of the file has arrived."""

    name: str
    size: int
    received: Annotated[int, Meta(description="Bytes; Upload-Offset of the next PATCH.")]


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload. Whole, it is announced by POST /v1/teacher/updates with its path."""

    upload: str
    run: str
    step: int
    files: Sequence[UploadedFile]
    expires_at: Annotated[datetime, Meta(description="When it is removed if nothing more comes.")]
    path: Annotated[str | None, Meta(description="Below the weights root; null until every file is here.")]
