"""What the SQL tests are written with."""

import fcntl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact, StoredObject
from artifact_pipeline.domain.model.checksums import SHA256, Checksum
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import Claim, Direction
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.preloaded import start_code

UPLOAD = Direction.UPLOAD
HOUR = timedelta(hours=1)
CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
LOCATION = UploadLocation("https://bucket.s3.invalid/key")
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)


def sessions_waiting_for_a_lock(engine: Engine) -> int:
    """Of this PostgreSQL database."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with engine.connect() as connection:
        return int(connection.execute(waiting).scalar_one())


class Statements:
    """What an engine executes from now on, but for the BEGIN that SQLite is told."""

    def __init__(self, engine: Engine) -> None:
        self.seen: list[str] = []
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            self.seen.append(statement.split(maxsplit=1)[0])


def job_row(job_id: int = 12, created_at: datetime = CREATED_AT, **values: Any) -> JobRow:
    return JobRow(
        **{"id": job_id, "user_id": 7, "status": "CREATED", "created_at": created_at, **values}
    )


def run_row(run_id: int = 4, job_id: int = 12, **values: Any) -> RunRow:
    return RunRow(
        **{
            "id": run_id,
            "job_id": job_id,
            "user_id": 7,
            "status": "RUNNING",
            "created_at": CREATED_AT,
            **values,
        }
    )


def insert(engine: Engine, *rows: JobRow | RunRow) -> None:
    with Session(engine) as session, session.begin():
        for row in rows:
            session.add(row)
            session.flush()


def insert_job_with_run(engine: Engine) -> None:
    insert(engine, job_row(), run_row())


def stored_artifact(artifact: Artifact = RESULTS, **changes: Any) -> StoredArtifact:
    """With the object's fields by name, and `stored_at` and `links_left_out`."""
    fields: dict[str, Any] = {
        "key": f"jobs/{artifact.job_id}/2025/10/23/211500/{artifact.kind}",
        "size": 5_000_000_000,
        "sha256": "ab" * 32,
        "checksum": Checksum(SHA256, "c2hhMjU2", 75),
        "version": '"0123-75"',
        "version_id": "v1",
        "tier_name": "GLACIER_IR",
    }
    own = {name: changes.pop(name) for name in ("stored_at", "links_left_out") if name in changes}
    stored_at = own.pop("stored_at", CREATED_AT + HOUR)
    return StoredArtifact(
        artifact=artifact, object=StoredObject(**fields | changes), stored_at=stored_at, **own
    )


def claimed(transfers: SqlTransfers, artifact: Artifact = RESULTS, request_id: str = "a") -> Claim:
    claim = transfers.claim(artifact, UPLOAD, request_id, owner="worker-1", lease=HOUR)
    assert claim is not None
    return claim


def run_at_once(prepare: str, work: str, *arguments: str, times: int = 3) -> None:
    """Let so many processes do the work at the same moment; each must end well, and silently."""
    with TemporaryDirectory() as directory, Path(directory, "held").open("w") as held:
        # They are ready one after the other, and wait for this lock together.
        fcntl.flock(held, fcntl.LOCK_EX)
        ready = [Path(directory, str(number)) for number in range(times)]
        waiting = _WAITING.format(prepare=prepare, work=work, held=held.name)
        processes = [start_code(waiting, *arguments, str(path)) for path in ready]
        deadline = monotonic() + 60
        while not all(path.exists() for path in ready):
            assert monotonic() < deadline, [process.ended() for process in processes]
            sleep(0.01)
        fcntl.flock(held, fcntl.LOCK_UN)
        assert [process.ended() for process in processes] == [(0, "", "")] * times


_WAITING = """
import fcntl, sys
from pathlib import Path
{prepare}
Path(sys.argv.pop()).touch()
fcntl.flock(open({held!r}), fcntl.LOCK_SH)
{work}
"""
