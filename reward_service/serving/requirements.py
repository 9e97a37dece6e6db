"""What the models of a service need installed: looked for before anything is started."""

from reward_service.errors import Needing
from reward_service.generation.model_names import OPENAI, VLLM_SERVER, Backend
from reward_service.settings import Settings

AVERAGING = ("numpy", "numba")
"""What a teacher process imports, whatever runs its model."""
LOADING = ("safetensors", "torch", "transformers")


def require_installed(settings: Settings) -> None:
    """Returns if the processes of the models can be started.

    Raises:
        NotInstalledError: one of them would lack a package; the message says how to install it.
    """
    if settings.teacher is not None:
        _require("a teacher", settings.teacher, settings.teacher_backend, AVERAGING)
    if settings.paraphraser is not None:
        _require("a paraphraser", settings.paraphraser, settings.paraphraser_backend, ())


def _require(what: str, model: str, backend: str, always: tuple[str, ...]) -> None:
    own = backend == Backend.VLLM
    if model.startswith(OPENAI):
        packages = always
    elif model.startswith(VLLM_SERVER):
        packages = (*always, "safetensors")
    else:
        packages = (*always, *LOADING, *(("vllm",) if own else ()))
    with Needing(what, "vllm" if own else "local", *packages):
        pass  # they are imported in processes of their own
