"""What fits a selection, in memory."""

from collections.abc import Collection, Mapping
from datetime import datetime

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.selection import IdRange, Selection
from artifact_pipeline.domain.model.transfers import Transfer, TransferState

Tags = Mapping[int, Collection[str] | Mapping[str, str]]
"""Of jobs, by their ids."""


def fits_artifact(filters: Selection, artifact: Artifact) -> bool:
    """Return whether the ids and the kind fit."""
    return (
        (not filters.job_ids or _is_in(artifact.job_id, filters.job_ids))
        and (not filters.run_ids or _is_in(artifact.run_id, filters.run_ids))
        and (not filters.kinds or artifact.kind in filters.kinds)
    )


def fits_job(filters: Selection, job: Job | None, tags: Tags) -> bool:
    """Return whether the job's user, tags and creation time fit."""
    if job is None:
        asked = (filters.user_ids, filters.tags, filters.created_after, filters.created_before)
        return not any(asked)
    return (
        (not filters.user_ids or job.user_id in filters.user_ids)
        and (filters.created_after is None or job.created_at >= filters.created_after)
        and (filters.created_before is None or job.created_at < filters.created_before)
        and all(_has_tag(tags.get(job.id, ()), tag) for tag in filters.tags)
    )


def fits_end(filters: Selection, transfer: Transfer, now: datetime) -> bool:
    """Return whether the reason and the time at which the transfer was given up fit."""
    if filters.reasons and transfer.reason_code not in filters.reasons:
        return False
    if not filters.is_about_failures:
        return True
    ended = transfer.finished_at
    if transfer.state is not TransferState.QUARANTINED or ended is None:
        return False
    return (
        (filters.failed_after is None or ended >= filters.failed_after)
        and (filters.failed_before is None or ended < filters.failed_before)
        and (filters.older_than is None or now - ended >= filters.older_than)
        and (filters.newer_than is None or now - ended <= filters.newer_than)
    )


def _has_tag(tags: Collection[str] | Mapping[str, str], tag: str) -> bool:
    if not isinstance(tags, Mapping):
        return tag in tags
    name, is_named, value = tag.partition("=")
    return bool(is_named) and tags.get(name) == value


def _is_in(id_: int | None, ranges: Collection[IdRange]) -> bool:
    return id_ is not None and any(each.first <= id_ <= each.last for each in ranges)
