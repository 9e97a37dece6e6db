"""Models by name: a folder on this machine, or a model of the Hugging Face hub, which becomes one."""

from pathlib import Path

from reward_service.errors import SettingsError

_NEEDED = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt"]
"""No pickles, no code."""


def model_folder(model: str) -> Path:
    """The folder of a model, fetched from the hub if there is no folder of that name.

    Raises:
        SettingsError: it is neither.
    """
    folder = Path(model).expanduser()
    if (folder / "config.json").is_file():
        return folder.resolve()
    if folder.exists() or model.startswith((".", "/", "~")):
        raise SettingsError(f"{model} holds no model: a folder with a config.json and *.safetensors is needed")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, allow_patterns=_NEEDED))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise SettingsError(f"{model} is no folder here, and the Hugging Face hub does not give it: {error}") from error
