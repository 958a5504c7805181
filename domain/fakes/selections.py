"""What fits a selection, in memory."""

from collections.abc import Collection, Mapping
from datetime import datetime

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.selection import IdRange, Selection
from artifact_pipeline.domain.model.transfers import Transfer, TransferState

Tags = Mapping[int, Collection[str] | Mapping[str, str]]
"""Of jobs, by their ids."""


def fits_artifact(which: Selection, artifact: Artifact) -> bool:
    """Return whether the ids and the kind fit."""
    return (
        (not which.job_ids or _is_in(artifact.job_id, which.job_ids))
        and (not which.run_ids or _is_in(artifact.run_id, which.run_ids))
        and (not which.kinds or artifact.kind in which.kinds)
    )


def fits_job(which: Selection, job: Job | None, tags: Tags) -> bool:
    """Return whether the job's user, tags and creation time fit."""
    if job is None:
        asked = (which.user_ids, which.tags, which.created_after, which.created_before)
        return not any(asked)
    return (
        (not which.user_ids or job.user_id in which.user_ids)
        and (which.created_after is None or job.created_at >= which.created_after)
        and (which.created_before is None or job.created_at < which.created_before)
        and all(_has_tag(tags.get(job.id, ()), tag) for tag in which.tags)
    )


def fits_end(which: Selection, transfer: Transfer, now: datetime) -> bool:
    """Return whether the reason and the time at which the transfer was given up fit."""
    if which.reasons and transfer.reason_code not in which.reasons:
        return False
    if not which.is_about_failures:
        return True
    ended = transfer.finished_at
    if transfer.state is not TransferState.QUARANTINED or ended is None:
        return False
    return (
        (which.failed_after is None or ended >= which.failed_after)
        and (which.failed_before is None or ended < which.failed_before)
        and (which.older_than is None or now - ended >= which.older_than)
        and (which.newer_than is None or now - ended <= which.newer_than)
    )


def _has_tag(tags: Collection[str] | Mapping[str, str], tag: str) -> bool:
    if not isinstance(tags, Mapping):
        return tag in tags
    name, is_named, value = tag.partition("=")
    return bool(is_named) and tags.get(name) == value


def _is_in(id_: int | None, ranges: Collection[IdRange]) -> bool:
    return id_ is not None and any(each.first <= id_ <= each.last for each in ranges)
