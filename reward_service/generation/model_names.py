"""What a model's name says of who runs it."""

import enum

OPENAI = "openai:"
VLLM_SERVER = "vllm-server:"


class Backend(enum.StrEnum):
    """What runs a model that is named by a folder or a name on the Hugging Face hub."""

    AUTO = "auto"
    """vLLM if it is installed and there is a GPU, else transformers."""
    TRANSFORMERS = "transformers"
    VLLM = "vllm"
