"""The headers of a message that Celery and the pipeline use."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, cast
from uuid import UUID, uuid5

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.transfers import MAX_REQUEST_ID
from artifact_pipeline.domain.model.workspaces import workspace_name
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.tasks.message_body import RefusedError
from artifact_pipeline.tasks.routing import (
    BATCH_HEADER,
    BEAT_HEADER,
    DELAY_HEADER,
    RECORDED_HEADER,
    UPKEEP_TASKS,
    WORKSPACE_HEADER,
)

HORIZON = timedelta(days=7)
"""How far ahead an eta may be: while SQL is away, a worker keeps the message until then."""

_OPTIONAL = (BATCH_HEADER, BEAT_HEADER, RECORDED_HEADER, WORKSPACE_HEADER)
_CELERYS_OWN = "celery."
_NAMESPACE = UUID("7a3c3f0e-3d0b-5b1e-9f43-2f3a51d9c0a7")

Skew = Callable[[], timedelta]
"""Returns how far the broker's clock is ahead of this machine's."""


def no_skew() -> timedelta:
    """Return the skew of clocks that agree."""
    return timedelta(0)


def checked_headers(fields: object, skew: Skew, part: str = "headers") -> "Headers":
    """Return the headers of a message.

    Args:
        fields: the headers as they came.
        skew: of the clocks.
        part: the part of the message they came from, for the error.

    Raises:
        RefusedError: a worker refuses a message with these headers.
    """
    try:
        return Headers.model_validate(fields, context=skew)
    except ValidationError as error:
        raise RefusedError(_named(error, part)) from None


def _named(error: ValidationError, part: str) -> str:
    # Take only the first step: all the names there are ours.
    steps = (item["loc"] for item in error.errors(include_input=False, include_url=False))
    return ", ".join(sorted({f"{part}.{names[0]}" for names in steps}))


def _presentable(text: str) -> str:
    """Return a text that may appear in the log and in Flower, which show ids and names."""
    if redact(text) != text:
        raise ValueError("not presentable")
    return text


def _id(text: str) -> str:
    """Return the id, or if it could be a secret one that is made from it, always the same."""
    if not text.isprintable() or "://" in text:
        raise ValueError("not presentable")
    return text if redact(text) == text else str(uuid5(_NAMESPACE, text))


def _for_us(task: str) -> str:
    """Return the name, unless it is of Celery's own tasks, which run others and trust the body."""
    if task.startswith(_CELERYS_OWN):
        raise ValueError("not a task of ours")
    return task


def _moment(text: str) -> str:
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.isoformat()


def _soon(text: str, info: ValidationInfo) -> str | None:
    skew = cast("Skew", info.context)
    now = datetime.now(UTC)
    delay = info.data.get(DELAY_HEADER)
    if delay is None:
        ahead = datetime.fromisoformat(text) - now - skew()
    else:
        ahead = timedelta(seconds=min(delay, HORIZON.total_seconds()))
    if ahead > HORIZON:
        raise ValueError("too far ahead")
    return (now + ahead).isoformat() if ahead > timedelta(0) else None


def _expiry(text: str, info: ValidationInfo) -> str | None:
    """Leave it out of upkeep: what piles up is harmless, and what is thrown away is missed."""
    if info.data.get("task") in UPKEEP_TASKS:
        return None
    skew = cast("Skew", info.context)
    try:
        return (datetime.fromisoformat(text) - skew()).isoformat()
    except OverflowError:
        return text  # at an end of the calendar, where no skew matters


def _workspace(name: str | None) -> str | None:
    """Return the name of a workspace: it becomes a part of a queue's name."""
    try:
        return workspace_name(name)
    except InvalidRequestError:
        raise ValueError("not the name of a workspace") from None


def none_as_zero(value: object) -> object:
    """Take `null` for a number that was left out."""
    return 0 if value is None else value


_Name = Annotated[str, Field(min_length=1, max_length=MAX_REQUEST_ID), AfterValidator(_presentable)]
_Id = Annotated[str, Field(min_length=1, max_length=MAX_REQUEST_ID), AfterValidator(_id)]
_Count = Annotated[int, Field(ge=0, lt=2**31)]
_Moment = Annotated[str, Field(max_length=40), AfterValidator(_moment)]

# These have the right type, but are not passed on: the worker needs none of them, and each would
# give the sender a say in something.
_LeftOut = Field(default=None, exclude=True)
# These are further tasks to run. Ignore them: each would run whatever the sender names.
_Links = Annotated[list[Any] | dict[str, Any] | None, _LeftOut]


class Part(BaseModel):
    """Check a part of a message, and leave out its other fields."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Headers(Part):
    """Check Celery's headers, and leave out others.

    Celery makes each header an attribute of the task's request, whatever its name.
    """

    lang: Annotated[str | None, _LeftOut]
    task: Annotated[_Name, AfterValidator(_for_us)]
    id: _Id
    root_id: _Id | None = None
    parent_id: _Id | None = None
    group: _Id | None = None
    group_index: _Count | None = None
    retries: Annotated[_Count, BeforeValidator(none_as_zero)] = 0

    # Our own header: the batch that requested the transfer.
    artifacts_batch: _Count | None = None
    # Our own header: the request is in SQL.
    artifacts_recorded: _Count | None = None
    # Our own header: the workspace of a bare message.
    artifacts_workspace: Annotated[str | None, AfterValidator(_workspace)] = None
    # Celery's header: beat sent the task.
    celery_beat_task: bool | None = None
    # Our own header of a retry, in seconds. Its eta is by the clock of the worker that sent it.
    artifacts_delay: Annotated[float | None, Field(ge=0, allow_inf_nan=False), _LeftOut]
    eta: Annotated[_Moment, AfterValidator(_soon)] | None = None
    expires: Annotated[_Moment, AfterValidator(_expiry)] | None = None

    # The worker's own limits hold. Our producers send these along, from the same settings.
    timelimit: Annotated[list[float | None] | None, Field(max_length=2), _LeftOut]
    # The strategy rebuilds them from the body.
    argsrepr: Annotated[str | None, _LeftOut]
    kwargsrepr: Annotated[str | None, _LeftOut]
    # Flower would show it instead of the task.
    shadow: Annotated[str | None, _LeftOut]
    origin: Annotated[str | None, _LeftOut]
    ignore_result: Annotated[bool | None, _LeftOut]
    replaced_task_nesting: Annotated[_Count | None, _LeftOut]
    stamped_headers: Annotated[list[str] | None, _LeftOut]
    stamps: Annotated[dict[str, Any] | None, _LeftOut]
    # If the body has none of these, Celery takes them from here, and runs them.
    callbacks: _Links
    errbacks: _Links
    chain: _Links
    chord: _Links

    def forwarded_headers(self) -> dict[str, Any]:
        """Return the headers that Celery gets."""
        headers = self.model_dump()
        absent = [name for name in _OPTIONAL if headers[name] is None]
        return {name: value for name, value in headers.items() if name not in absent}
