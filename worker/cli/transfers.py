"""`artifacts transfers`: transfers across jobs, and one of them."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from artifact_pipeline.domain.errors import NotFoundError
from artifact_pipeline.domain.model.attempts import parse_attempts
from artifact_pipeline.domain.model.bounded import MAX_ROW_ID, is_storable
from artifact_pipeline.domain.model.selection import IdRange
from artifact_pipeline.domain.model.timeline import timeline
from artifact_pipeline.domain.model.transfer_filter import TransferFilter
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.tasks.routing import (
    OF_TRANSFERS,
    queue_in,
    queue_of_transfer,
    work_of_queue,
)
from artifact_pipeline.worker.cli.batch.options import JobsOption, KindsOption, RunsOption
from artifact_pipeline.worker.cli.lazy import group_app
from artifact_pipeline.worker.cli.options import JsonOption, WideOption
from artifact_pipeline.worker.cli.output import note, plain, print_json, say, show_rows
from artifact_pipeline.worker.cli.quarantine import ReasonOption, parse_age
from artifact_pipeline.worker.composition.operator import database

app = group_app("List transfers across jobs, or show one of them.")

_COLUMNS = (
    *("id", "job_id", "kind", "state", "run_id", "reason", "age", "direction", "attempts"),
    "requested_by",
)


def parse_queue(text: str) -> str:
    """Read a queue that has messages of transfers."""
    if work_of_queue(text)[0] not in OF_TRANSFERS:
        queues = ", ".join(OF_TRANSFERS)
        raise typer.BadParameter(
            f"{text}: no queue of transfers; use one of {queues}, or one of a workspace with a"
            f" name, such as {queue_in(OF_TRANSFERS[0], 'host-a')}"
        )
    return text


@app.command("list")
def list_all(  # noqa: PLR0913 - an argument for each option
    *,
    state: Annotated[
        list[TransferState] | None,
        typer.Option("--state", metavar="STATE", help="Such as running; repeatable."),
    ] = None,
    kind: KindsOption = None,
    direction: Annotated[
        list[Direction] | None,
        typer.Option("--direction", metavar="DIRECTION", help="Such as upload; repeatable."),
    ] = None,
    reason: ReasonOption = None,
    job_id: JobsOption = None,
    run_id: RunsOption = None,
    queue: Annotated[
        str | None,
        typer.Option(
            "--queue",
            parser=parse_queue,
            metavar="QUEUE",
            help="The queue of their messages: configs, results, batches, or of a workspace.",
        ),
    ] = None,
    older_than: Annotated[
        timedelta | None,
        typer.Option(
            "--older-than", parser=parse_age, metavar="AGE", help="Requested so long ago: 90m, 7d."
        ),
    ] = None,
    newer_than: Annotated[
        timedelta | None,
        typer.Option(
            "--newer-than", parser=parse_age, metavar="AGE", help="Requested since: 90m, 7d."
        ),
    ] = None,
    requested_by: Annotated[
        str | None,
        typer.Option("--requested-by", metavar="USER", help="Requested by this user's id or name."),
    ] = None,
    before: Annotated[
        int | None,
        typer.Option("--before", min=1, max=MAX_ROW_ID, metavar="ID", help="Only smaller ids."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest first.")] = 100,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """List transfers of all jobs that match every given filter, newest first."""
    from artifact_pipeline.worker.sql.transfers.lists import list_transfers  # noqa: PLC0415 - for the help

    if not is_storable(requested_by or ""):
        raise typer.BadParameter("--requested-by: it has a character that is no Unicode")
    filters = TransferFilter(
        states=frozenset(state or ()),
        kinds=frozenset(kind or ()),
        directions=frozenset(direction or ()),
        reasons=frozenset(reason or ()),
        job_ids=_flat(job_id),
        run_ids=_flat(run_id),
        queue=queue,
        older_than=older_than,
        newer_than=newer_than,
        requested_by=requested_by,
    )
    # Read one more than is shown, which tells whether more exist.
    sql = database()
    found = list_transfers(sql.engine, filters, limit=limit + 1, before=before)
    now = sql.transfers.now()
    shown = found[:limit]
    rows = [_row(each, now) for each in shown]
    empty = "no transfer matches the options"
    show_rows(rows, as_json=as_json, empty=empty, brief=_COLUMNS, wide=wide)
    if len(found) > limit:
        note(f"more exist: --before {shown[-1].id}")


@app.command("show")
def show(
    transfer_id: Annotated[
        int, typer.Argument(metavar="ID", min=1, max=MAX_ROW_ID, help="As `list` shows it.")
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show one transfer with its timeline, and its attempts that ended without success."""
    sql = database()
    found = sql.transfers.get_many([transfer_id])
    if not found:
        raise NotFoundError(
            f"there is no transfer {transfer_id}. `artifacts transfers list` shows them"
        )
    [transfer], now = found, sql.transfers.now()
    row = _row(transfer, now)
    if as_json:
        past = [asdict(each) for each in parse_attempts(transfer.past_attempts)]
        print_json({**row, "past_attempts": past})
        return
    for name, value in row.items():
        say(f"{name:18}{'-' if value is None else plain(value)}")
    say()
    for event in timeline(transfer, now):
        say(f"{plain(event.at)}  {event.what:18}{event.detail or ''}".rstrip())


def _flat(ranges: list[tuple[IdRange, ...]] | None) -> tuple[IdRange, ...]:
    return tuple(each for part in ranges or () for each in part)


def _row(transfer: Transfer, now: datetime) -> dict[str, Any]:
    return {
        "id": transfer.id,
        "job_id": transfer.artifact.job_id,
        "run_id": transfer.artifact.run_id,
        "kind": transfer.artifact.kind,
        "direction": transfer.direction,
        "state": transfer.state,
        "queue": queue_of_transfer(transfer),
        "batch_id": transfer.batch_id,
        "attempts": transfer.attempts,
        "age": now - transfer.requested_at,
        "requested_at": transfer.requested_at,
        "next_attempt_at": transfer.next_attempt_at,
        "lease_expires_at": transfer.lease_expires_at,
        "finished_at": transfer.finished_at,
        "bytes": transfer.bytes_sent,
        "reason": transfer.reason_code,
        "error": transfer.last_error,
        "unverified_since": transfer.unverified_since,
        "requested_by": transfer.requested_by,
    }
