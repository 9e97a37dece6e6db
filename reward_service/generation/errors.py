"""What a generator may answer instead of responses."""

from co_rewarding_schema.errors import CoRewardingError


class GenerationError(CoRewardingError):
    """This prompt cannot be answered, e.g. because it is too long. Asking again would end the same."""


class GeneratorUnavailableError(CoRewardingError):
    """The model is away, or its weights are not whole; the same prompt may be asked again later."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        """Says what happened, and after how many seconds to ask again."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnreachedError(GeneratorUnavailableError):
    """The server has not given one response since it was first asked: its address or key is wrong, or it is away."""


class FixedWeightsError(CoRewardingError):
    """This backend's weights cannot be swapped."""


class WeightsError(CoRewardingError):
    """These weights do not fit the model: the message names the tensors. Nothing was changed."""
