"""The kinds of values that requests hold, each with its bounds, and what every form has in common."""

from typing import Annotated

from co_rewarding_schema.methods import METHODS
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from reward_service.api.rewards.wire import MAX_COUNT, MAX_ROLLOUT
from reward_service.domain.extraction import MAX_END_TOKEN_CHARS, AnswerFormat
from reward_service.domain.runs import MAX_GROUP_SIZE, MAX_LAG, MAX_RESPONSE_TOKENS, RUN_NAME_PATTERN


def whole(value: object) -> object:
    """A number without a fraction is an integer, as in JSON Schema: some languages have no other numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Count = Annotated[int, Field(ge=0, le=MAX_COUNT), BeforeValidator(whole)]
Index = Annotated[int, Field(ge=0, le=MAX_ROLLOUT), BeforeValidator(whole)]
Positive = Annotated[int, Field(ge=1, le=MAX_COUNT), BeforeValidator(whole)]
GroupSize = Annotated[int, Field(ge=1, le=MAX_GROUP_SIZE), BeforeValidator(whole)]
Lag = Annotated[int, Field(ge=0, le=MAX_LAG), BeforeValidator(whole)]
ResponseTokens = Annotated[int, Field(ge=1, le=MAX_RESPONSE_TOKENS), BeforeValidator(whole)]
RunName = Annotated[str, Field(pattern=RUN_NAME_PATTERN, examples=["qwen3-8b-math"])]
MethodName = Annotated[str, Field(json_schema_extra={"enum": list(METHODS)})]
"""Methods are checked against the table."""
FormatName = Annotated[AnswerFormat, Field(strict=False)]
EndToken = Annotated[str, Field(min_length=1, max_length=MAX_END_TOKEN_CHARS, pattern=r"\S")]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class WireForm(BaseModel):
    """A request's form: nothing is guessed, and a typo is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, ser_json_inf_nan="null")
