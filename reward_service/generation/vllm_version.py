"""Which vLLM the backend in this process was tested with, and a refusal of any other."""

from reward_service.errors import SettingsError

TESTED = "0.32"
"""Its engine's interface is not a public one: swapping weights with another may leave old ones in use, silently."""


def check_version(version: str) -> None:
    """Returns for a release of the tested series.

    Raises:
        SettingsError: for another.
    """
    if version.split(".")[:2] != TESTED.split("."):
        raise SettingsError(
            f"vLLM {version} is installed, and this backend was tested with {TESTED}: pip install 'vllm=={TESTED}.*', "
            "or run `vllm serve` and name it as vllm-server:URL#MODEL"
        )
