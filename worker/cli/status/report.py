"""The JSON of `artifacts status`: a stable format for programs.

Times are ISO 8601 with their zone, ages and windows are seconds, and a missing value is null.
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from artifact_pipeline.domain.maintenance.pipeline_status import (
    WINDOWS,
    DatabaseStatus,
    EndpointFailures,
    Phase,
    PipelineStatus,
    TransferGroup,
    count,
    first,
)
from artifact_pipeline.domain.maintenance.problems import Problem
from artifact_pipeline.domain.model.kinds import ArtifactKind

_WAITING = (Phase.DUE, Phase.EXPIRED)


def status_json(status: PipelineStatus, problems: Iterable[Problem]) -> dict[str, Any]:
    database, broker = status.database, status.broker
    found = [asdict(problem) for problem in problems]
    return {
        "at": database.now,
        "needs_a_hand": bool(found),
        "problems": found,
        "broker": {"answers": broker is not None},
        "refused_messages": None if broker is None else broker.refused,
        "stray_queues": None if broker is None else broker.strays,
        "dispatch": _moment(database, broker.dispatched_at if broker else None),
        "queues": [_queue(status, queue) for queue in status.queues],
        "kinds": [
            {"kind": kind, **_groups(database, database.of_kind(kind))} for kind in ArtifactKind
        ],
        "retries": [_retry(database, each) for each in database.transfers if each.reason],
        "throughput": [_throughput(database, n) for n in range(len(WINDOWS))],
        "failures": [
            {
                "reason": each.reason,
                "quarantined": each.quarantined,
                "last_hour": each.recent,
                **_moment(database, each.last_at),
            }
            for each in database.failures
        ],
        "workers": None
        if broker is None or not broker.has_control
        else [asdict(worker) for worker in broker.workers],
        "batches": [asdict(each) for each in database.batches],
        "requesters": [asdict(each) for each in database.requesters],
        "unverified": 0 if database.unverified is None else database.unverified.transfers,
        "audit": _audit(database),
        "events": [
            {
                "target": each.target,
                "waiting": each.waiting,
                "oldest_seconds": each.oldest,
                "refused": each.refused,
            }
            for each in database.events
        ],
        "s3": [_failing(database, each) for each in database.endpoints],
        "workspaces": [_failing(database, each) for each in database.workspaces],
    }


def _audit(database: DatabaseStatus) -> dict[str, Any] | None:
    audit = database.audit
    if audit is None:
        return None
    return {
        "is_running": audit.is_running,
        "started_at": audit.started_at,
        "counts": audit.counts,
        "finished_at": audit.finished_at,
        "age_seconds": _seconds(database, audit.finished_at),
        "result": audit.result,
    }


def _failing(database: DatabaseStatus, each: EndpointFailures) -> dict[str, Any]:
    return {
        "endpoint": each.endpoint,
        "failures": each.failures,
        "is_open": each.is_open,
        **_moment(database, each.failed_at),
    }


def _queue(status: PipelineStatus, queue: str) -> dict[str, Any]:
    broker = status.broker
    return {
        "queue": queue,
        **_groups(status.database, status.database.of_queue(queue, *Phase)),
        "messages": None if broker is None else broker.messages.get(queue, 0),
        "workers": None if broker is None or not broker.has_control else broker.listening_to(queue),
    }


def _groups(database: DatabaseStatus, groups: list[TransferGroup]) -> dict[str, Any]:
    since = first(groups, *_WAITING)
    return {
        **{phase.value: count(groups, phase) for phase in Phase},
        "late": sum(each.late for each in groups),
        "oldest_due_at": since,
        "oldest_due_seconds": _seconds(database, since),
    }


def _retry(database: DatabaseStatus, group: TransferGroup) -> dict[str, Any]:
    return {
        "queue": group.queue,
        "kind": group.kind,
        "reason": group.reason,
        "transfers": group.transfers,
        "next_at": group.since,
        "next_in_seconds": (group.since - database.now).total_seconds(),
    }


def _throughput(database: DatabaseStatus, n: int) -> dict[str, Any]:
    transfers, moved = database.done(WINDOWS[n])
    return {
        "window_seconds": WINDOWS[n].total_seconds(),
        "transfers": transfers,
        "bytes": moved,
    }


def _moment(database: DatabaseStatus, at: datetime | None) -> dict[str, Any]:
    return {"last_at": at, "age_seconds": _seconds(database, at)}


def _seconds(database: DatabaseStatus, at: datetime | None) -> float | None:
    return None if at is None else max(0.0, (database.now - at).total_seconds())
