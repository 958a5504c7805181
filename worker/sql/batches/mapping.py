"""Rows of `batches` and `batch_members` as the domain's objects."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from sqlalchemy import Row

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.batches import (
    Batch,
    BatchFilter,
    BatchMode,
    BatchPriority,
    BatchState,
    Member,
)
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.release_windows import ALWAYS, ReleaseWindow
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.reasons import reason_of

_PRIORITIES = {priority.rank: priority for priority in BatchPriority}


def as_batch(row: Row[Any]) -> Batch:
    return Batch(
        id=row.id,
        state=BatchState(row.state),
        requested_by=row.requested_by,
        reason=row.reason,
        filter=as_filter(row.filter),
        mode=BatchMode(row.mode) if row.mode else None,
        rate=row.rate,
        max_in_flight=row.max_in_flight,
        is_forced=row.is_forced,
        members=row.members,
        requested_at=row.requested_at,
        expires_at=row.expires_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        notify=row.notify,
        bytes_per_second=row.bytes_per_second,
        between=as_window(row.release_hours, row.release_zone),
        priority=_PRIORITIES.get(row.priority, BatchPriority.NORMAL),
    )


def as_window(hours: str | None, zone: str | None) -> ReleaseWindow | None:
    """Return the window, whether this host knows its zone or not."""
    if hours is None:
        return None
    begin, end = map(time.fromisoformat, hours.split("-"))
    return ReleaseWindow(begin, end, zone or "UTC")


def may_release(window: ReleaseWindow | None, now: datetime) -> bool:
    """Return whether members may be released now; so it is where this host lacks the zone."""
    try:
        return window is None or window.is_open(now)
    except InvalidRequestError:
        return True


def of_window(window: ReleaseWindow | None) -> dict[str, Any]:
    """Return the columns of a window; NULLs of none."""
    if window is None or window == ALWAYS:
        return {"release_hours": None, "release_zone": None}
    return {"release_hours": window.hours, "release_zone": window.zone}


def as_filter(stored: Mapping[str, Any]) -> BatchFilter:
    """Return the filter, without criteria and reasons that only a newer version knows.

    While a new version is rolled out, its batches meet commands and workers of this one. Their
    members are frozen, so the filter is only shown.
    """
    known = {name: value for name, value in stored.items() if name in BatchFilter.model_fields}
    reasons = [reason_of(code) for code in known.get("reasons", ())]
    return BatchFilter.model_validate({**known, "reasons": list(dict.fromkeys(reasons))})


def as_member(row: Row[Any]) -> Member:
    return Member(
        job_id=row.job_id,
        run_id=row.run_id,
        kind=ArtifactKind(row.kind),
        direction=Direction(row.direction),
        user_id=row.user_id,
    )
