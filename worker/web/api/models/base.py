"""What all answers have in common."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from artifact_pipeline.domain.model.bounded import is_storable


class Answer(BaseModel):
    """An answer, or a part of one. Times are ISO 8601 in UTC, ages are seconds, sizes bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Request(BaseModel):
    """What a client sends; an unknown field is an error, and so is a text that SQL cannot hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _can_be_stored(cls, given: Any) -> Any:  # noqa: ANN401 - whatever a client sends
        for name, value in given.items() if isinstance(given, dict) else ():
            if not _is_storable(value):
                raise PydanticCustomError(
                    "text", "{name}: it has a NUL or a character that is no Unicode", {"name": name}
                )
        return given


class Part(StrEnum):
    """A part of the deployment that an answer is read from."""

    DATABASE = "database"
    BROKER = "broker"
    WORKERS = "workers"
    STORE = "store"


class Missing(Answer):
    """A part that does not answer; what the answer would have of it is null or left out.

    Attributes: `is_awaited`: it is being asked; ask again in a few seconds.
    """

    part: Part
    why: str
    is_awaited: bool = False


class Problem(Answer):
    """Why a request failed, as RFC 9457 has it; the media type is `application/problem+json`.

    Attributes:
        code: a stable name of the error, for programs.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str


def _is_storable(value: Any) -> bool:  # noqa: ANN401 - of JSON
    if isinstance(value, dict):
        return all(_is_storable(each) for pair in value.items() for each in pair)
    if isinstance(value, list | tuple):
        return all(map(_is_storable, value))
    return not isinstance(value, str) or is_storable(value)
