"""What can be wrong with weights and with their average."""

from co_rewarding_schema.errors import CoRewardingError


class WeightsFolderError(CoRewardingError):
    """Weights that cannot be taken, and the message says why: nothing has changed.

    They are no safetensors, damaged, of other names or shapes than the teacher's, or not finite.
    """


class AverageError(CoRewardingError):
    """The average cannot do what was asked of it; the message says what to change. It is as it was before."""


class OlderVersionError(AverageError):
    """An update of a step that the average is beyond: steps come in order."""


class OtherModelError(AverageError):
    """The folder keeps the average of another model than the one that was named."""
