"""What all answers have in common."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """An answer, or a part of one. Times are ISO 8601 in UTC, ages are seconds, sizes bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Request(BaseModel):
    """What a client sends; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
