"""What a message may carry: ids, and nothing but ids."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.jobs import MAX_ID
from artifact_pipeline.domain.model.kinds import ArtifactKind

_LONGEST_NAME = 40

JobId = Annotated[int, Field(strict=True, gt=0, le=MAX_ID)]
RunId = Annotated[int, Field(strict=True, gt=0, le=MAX_ID)]


class NoArguments(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class JobArguments(NoArguments):
    job_id: JobId


class RunArguments(JobArguments):
    run_id: RunId


class JobOrRunArguments(JobArguments):
    run_id: RunId | None = None


def arguments_of(kind: ArtifactKind) -> type[JobArguments]:
    """Return the arguments of a task that transfers an artifact of this kind."""
    return RunArguments if kind.belongs_to_run else JobArguments


def bind(
    model: type[NoArguments], args: Sequence[object], kwargs: Mapping[str, object]
) -> dict[str, Any]:
    """Return the arguments by name.

    Raises:
        InvalidRequestError: one is missing, too many, or not what the model says; in one line
            that names it without quoting text, which could be anything.
    """
    names = list(model.model_fields)
    if len(args) > len(names):
        raise InvalidRequestError(f"{len(args)} positional arguments, at most {len(names)} allowed")
    positional = dict(zip(names, args, strict=False))
    twice = positional.keys() & kwargs.keys()
    if twice:
        raise InvalidRequestError(f"{', '.join(sorted(twice))}: given twice")
    try:
        return model.model_validate({**positional, **kwargs}).model_dump()
    except ValidationError as error:
        lines = [_line(item, names) for item in error.errors()]
        raise InvalidRequestError("; ".join(lines)) from None


def _line(error: Any, names: list[str]) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    name = error["loc"][0]
    if name not in names:
        # The name is untrusted: repeat it only if it can be nothing but a name.
        shown = name if len(name) <= _LONGEST_NAME and name.isidentifier() else "an argument"
        return f"{shown}: not one of {', '.join(names) or 'none'}"
    return f"{name}: {error['msg']}, got {_shown(error)}"


def _shown(error: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    if error["type"] == "missing":
        return "nothing"
    value = error["input"]
    return str(value) if type(value) is int and abs(value) < 10**20 else type(value).__name__
