"""The filter of transfers that a batch takes, or that an operator takes out of the quarantine."""

from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    model_validator,
)

from artifact_pipeline.domain.errors import ReasonCode
from artifact_pipeline.domain.model.bounded import Age, Id, Moment, Text
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction


class IdRange(BaseModel):
    """Ids from the first to the last."""

    model_config = ConfigDict(frozen=True)

    first: Id
    last: Id

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first > self.last:
            raise ValueError(f"the range {self.first}-{self.last} ends before it begins")
        return self


def _as_range(value: Any) -> Any:  # noqa: ANN401 - whatever a caller passes
    """Return the range of a single id."""
    return {"first": value, "last": value} if isinstance(value, int) else value


Ids = Annotated[IdRange, BeforeValidator(_as_range)]
"""A range of ids, or one id."""


class Selection(BaseModel):
    """Transfers that fit every criterion given; an empty one fits all.

    Attributes:
        job_ids, run_ids: ranges, or single ids.
        user_ids: whose job it is.
        tags: the job has all of them; `key=value` where the platform keeps them by name.
        created_after, created_before: of the job.
        failed_after, failed_before: when the transfer was given up.
        older_than, newer_than: how long ago that was, by the database's clock.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_ids: tuple[Ids, ...] = ()
    run_ids: tuple[Ids, ...] = ()
    user_ids: tuple[Id, ...] = ()
    kinds: tuple[ArtifactKind, ...] = ()
    directions: tuple[Direction, ...] = ()
    reasons: tuple[ReasonCode, ...] = ()
    tags: tuple[Text, ...] = ()
    created_after: Moment | None = None
    created_before: Moment | None = None
    failed_after: Moment | None = None
    failed_before: Moment | None = None
    older_than: Age | None = None
    newer_than: Age | None = None

    @property
    def is_empty(self) -> bool:
        return self == type(self)()

    @property
    def is_about_failures(self) -> bool:
        """Return whether only transfers that were given up can fit."""
        moments = (self.failed_after, self.failed_before, self.older_than, self.newer_than)
        return any(moment is not None for moment in moments)
