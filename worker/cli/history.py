"""`artifacts history`: who did what with a job's artifacts, when, why, and what became of it."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Any

import typer

from artifact_pipeline.worker.cli.options import (
    JobArgument,
    JobIdOption,
    JsonOption,
    WideOption,
    optional_job,
)
from artifact_pipeline.worker.cli.output import show_rows
from artifact_pipeline.worker.composition.operator import database

_COLUMNS = ("at", "what", "by", "outcome", "kind", "run_id", "reason", "detail", "job_id")
_DEFAULT_LIMIT = 100


def history(
    job: JobArgument = None,
    *,
    job_id: JobIdOption = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=100_000, help="Only the last so many; without a job 100."),
    ] = None,
    wide: WideOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show who did what with a job's artifacts: when, why, and what became of it.

    Transfers, batches and operators' commands, oldest first. Without a job it shows the last
    commands of operators.
    """
    asked = optional_job(job, job_id)
    rows = _of_operators(limit or _DEFAULT_LIMIT) if asked is None else _of_job(asked, limit)
    empty = "no command of an operator yet" if asked is None else "no transfer or command yet"
    show_rows(rows, as_json=as_json, empty=empty, brief=_COLUMNS, wide=wide)


def _of_job(job_id: int, limit: int | None) -> list[dict[str, Any]]:
    # Only here: the help needs no batches, which import pydantic.
    from artifact_pipeline.domain.catalog.history import JobHistory  # noqa: PLC0415
    from artifact_pipeline.worker.sql.batches.repository import SqlBatches  # noqa: PLC0415

    sql = database()
    look = JobHistory(
        trail=sql.audit_trail,
        transfers_of=sql.transfers.of_job,
        batch=SqlBatches(sql.engine).get,
    )
    entries = look(job_id)
    if not entries:
        sql.jobs.get(job_id)  # a job may be gone, or its id a typing error
    return _rows(entries[-limit:] if limit else entries)


def _of_operators(limit: int) -> list[dict[str, Any]]:
    from artifact_pipeline.domain.catalog.history import entry_of  # noqa: PLC0415 - see above

    newest = database().audit_trail.newest(limit)
    return _rows(entry_of(action) for action in reversed(newest))


def _rows(entries: Iterable[Any]) -> list[dict[str, Any]]:
    return [asdict(entry) for entry in entries]
