"""Locks on a job's id, which last until the transaction ends.

They order what must not happen at once: a deletion, a legal hold, and a record without a transfer.
SQLite needs none, since it has one writer.
"""

from collections.abc import Collection

from sqlalchemy import Connection, text

_NUMBER = 0x686C64  # any number that nothing else locks: "hld"


def lock_job(connection: Connection, job_id: int) -> None:
    """Wait for all others that lock or share the job, and keep them out."""
    _execute(connection, "pg_advisory_xact_lock", job_id)


def share_job(connection: Connection, job_id: int) -> None:
    """Wait for one that locks the job; others may share it at the same time."""
    _execute(connection, "pg_advisory_xact_lock_shared", job_id)


def share_jobs(connection: Connection, job_ids: Collection[int]) -> None:
    """Wait for all others that lock one of the jobs, in the order of their ids."""
    if connection.dialect.name == "postgresql":
        lock = text(
            "SELECT count(pg_advisory_xact_lock_shared(:number, id))"
            " FROM (SELECT unnest(CAST(:job_ids AS integer[])) AS id ORDER BY id) AS jobs"
        )
        connection.execute(lock, {"number": _NUMBER, "job_ids": sorted(job_ids)})


def _execute(connection: Connection, function: str, job_id: int) -> None:
    if connection.dialect.name == "postgresql":
        lock = text(f"SELECT {function}(:number, :job_id)")
        connection.execute(lock, {"number": _NUMBER, "job_id": job_id})
