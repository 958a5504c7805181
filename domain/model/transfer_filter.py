"""The filter of a list of transfers."""

from dataclasses import dataclass
from datetime import timedelta

from artifact_pipeline.domain.errors import ReasonCode
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.selection import IdRange
from artifact_pipeline.domain.model.transfers import Direction, TransferState


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFilter:
    """Transfers that fit every criterion given; an empty filter fits all.

    Attributes:
        queue: of their messages.
        older_than: requested at least so long ago.
        newer_than: requested at most so long ago.
        requested_by: the user's id or name, exactly.
        ended_within: ended at most so long ago.
    """

    states: frozenset[TransferState] = frozenset()
    kinds: frozenset[ArtifactKind] = frozenset()
    directions: frozenset[Direction] = frozenset()
    reasons: frozenset[ReasonCode] = frozenset()
    job_ids: tuple[IdRange, ...] = ()
    run_ids: tuple[IdRange, ...] = ()
    queue: str | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    requested_by: str | None = None
    ended_within: timedelta | None = None
