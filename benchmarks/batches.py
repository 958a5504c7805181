"""What a batch costs beside its transfers: preview, start, release and publishing, on PostgreSQL.

python -m benchmarks.batches
"""

import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event, text

from artifact_pipeline.domain.maintenance.release_batches import AdvanceBatches
from artifact_pipeline.domain.model.batches import Batch, BatchFilter, BatchMode, Preview
from artifact_pipeline.domain.model.transfers import Transfer, TransferState
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.tasks.uploads import upload_job_config
from artifact_pipeline.worker.composition.batches import Batches
from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.sql.batches.releases import SqlBatchReleases
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.migrate import upgrade
from benchmarks.processes import peak_mib
from tests.faults.postgres import RestartablePostgres

if TYPE_CHECKING:
    from celery import Celery

TRANSFERS = 1_000_000
FEW = 1_000
_PAGE = 500
_ROUNDS = 5
_MANY_USERS = 50

# Of a job's five artifacts one in ten is in quarantine; the others are done, and recorded.
_FILL = """
INSERT INTO jobs (id, user_id, status, created_at)
SELECT n, 1 + n % :users, 'CREATED', '2025-10-23 21:15:00' FROM generate_series(1, :jobs) n;
INSERT INTO runs (id, job_id, user_id, status, created_at)
SELECT n, n, 1 + n % :users, 'RUNNING', '2025-10-23 21:15:00' FROM generate_series(1, :jobs) n;
INSERT INTO transfers (request_id, job_id, run_id, kind, direction, state, attempts, fence,
                       requested_at, next_attempt_at, finished_at, reason_code)
SELECT 'before-' || n || kind, n, CASE WHEN kind LIKE 'run_%' THEN n END, kind, 'upload',
       CASE WHEN n % 10 = 0 THEN 'quarantined' ELSE 'done' END, 1, 1, now(), now(), now(),
       CASE WHEN n % 10 = 0 THEN 'source_missing' END
FROM generate_series(1, :jobs) n, unnest(ARRAY[:kinds]) kind;
INSERT INTO artifacts (job_id, run_id, kind, key, scheme, size, sha256, s3_checksum, etag,
                       storage_class, links_left_out, stored_at)
SELECT job_id, run_id, kind, 'jobs/' || job_id || '/2025/10/23/211500/' || kind, 'prefix', 4096,
       repeat('0', 64), 'c', 'e', 'STANDARD', 0,
       now()
FROM transfers WHERE state = 'done';
ANALYZE;
"""
_KINDS = "'job_config', 'job_input', 'run_config', 'run_results', 'run_logs'"


class Platform:
    """A database of a million transfers, and a broker."""

    def __init__(self, engine: Engine, broker: Valkey) -> None:
        self.engine = engine
        self.broker = broker
        self.app: Celery = producer_app(broker.url)
        self.batches = Batches(engine)
        self.statements = 0
        event.listen(engine, "before_cursor_execute", self._count)

    def fill(self, transfers: int) -> None:
        script = _FILL.replace(":kinds", _KINDS).replace(":users", str(_MANY_USERS))
        with self.engine.begin() as connection:
            for statement in script.replace(":jobs", str(transfers // 5)).split(";\n"):
                if statement.strip():
                    connection.execute(text(statement))

    def preview(self, **which: Any) -> Preview:
        return self.batches.preview(BatchFilter(**which), requested_by="benchmark")

    def start(self, snapshot: int) -> Batch:
        return self.batches.start(
            snapshot,
            requested_by="benchmark",
            reason="a benchmark",
            mode=BatchMode.ALL,
            max_in_flight=1_000_000,
        )

    def started(self, members: int, number: int) -> Batch:
        """A batch of so many, of other jobs for each number."""
        jobs = members * 2  # of ten, one has five in quarantine
        which = {"first": number * jobs + 1, "last": (number + 1) * jobs}
        preview = self.preview(states=[TransferState.QUARANTINED], job_ids=[which])
        assert preview.members == members
        return self.start(preview.batch.id)

    def release(self, publish_page: Callable[[Sequence[Transfer]], None]) -> int:
        return AdvanceBatches(
            batches=SqlBatchReleases(self.engine),
            publish=publish_page,
            has_room=lambda: True,
            page_size=_PAGE,
        )()

    def send(self, page: Sequence[Transfer]) -> None:
        publish(page, self.app)

    def empty(self) -> None:
        """Let the queues be emptied, and the members end, as workers would."""
        with self.broker.client() as client:
            client.flushall()
        with self.engine.begin() as connection:
            for ended in (
                "UPDATE transfers SET state = 'quarantined' WHERE state = 'requested'",
                "UPDATE batches SET state = 'done' WHERE state = 'running'",
            ):
                connection.execute(text(ended))
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE transfers"))

    def _count(self, *_: Any) -> None:
        self.statements += 1


@contextmanager
def platform(transfers: int) -> Iterator[Platform]:
    with (
        RestartablePostgres() as postgres,
        temporary_directory() as directory,
        Valkey(directory) as broker,
    ):
        postgres.create("platform")
        engine = make_engine(postgres.url("platform"))
        upgrade(engine, with_platform_tables=True)
        made = Platform(engine, broker)
        made.fill(transfers)
        yield made
        engine.dispose()


def measure_batches(transfers: int = TRANSFERS, few: int = FEW) -> dict[str, Any]:
    """The figures; a tenth of the transfers are the members of the batch."""
    with platform(transfers) as made:
        before = peak_mib()
        preview, seconds = timed(lambda: made.preview(states=[TransferState.QUARANTINED]))
        _, start_seconds = timed(lambda: made.start(preview.batch.id))
        statements = made.statements
        released, release_seconds = timed(lambda: made.release(made.send))
        assert released == preview.members == transfers // 10
        peak = peak_mib()
        statements = made.statements - statements
        made.empty()
        _, all_seconds = timed(made.preview)
        return {
            "transfers": transfers,
            "members": released,
            "preview_seconds": round(seconds, 2),
            "preview_of_all_as_members_seconds": round(all_seconds, 2),
            "start_seconds": round(start_seconds, 2),
            "release_and_publish_seconds": round(release_seconds, 2),
            "sql_statements_per_1000_members": round(statements / released * 1000, 1),
            "peak_memory_mib": peak,
            "of_which_before_mib": before,
            "cost_per_member": _flatness(made, few, release_seconds / released),
            "publishing": _publishing(made, 4 * few),
        }


def _flatness(made: Platform, few: int, of_many: float) -> dict[str, Any]:
    """The same for batches of few members, on the same tables."""
    of_few = []
    for number in range(_ROUNDS):
        made.started(few, number)
        _, seconds = timed(lambda: made.release(made.send))
        of_few.append(seconds / few)
        made.empty()
    median = statistics.median(of_few)
    return {
        "milliseconds_of_many": round(of_many * 1000, 3),
        "milliseconds_of_few": round(median * 1000, 3),
        "few": few,
        "ratio": round(of_many / median, 2),
    }


def _publishing(made: Platform, count: int) -> dict[str, Any]:
    """Members released and published, by a plain loop on the same broker, in turns."""
    rates: dict[str, list[float]] = {"batch": [], "delay": []}
    for number in range(_ROUNDS):
        made.started(count, number)
        _, seconds = timed(lambda: made.release(made.send))
        rates["batch"].append(count / seconds)
        made.empty()
        _, seconds = timed(lambda: _delay(count))
        rates["delay"].append(count / seconds)
        made.empty()
    batch_rate, delay_rate = (statistics.median(rates[name]) for name in ("batch", "delay"))
    return {
        "members": count,
        "batch_per_second": round(batch_rate),
        "plain_delay_per_second": round(delay_rate),
        "ratio": round(batch_rate / delay_rate, 2),
    }


def _delay(count: int) -> None:
    for number in range(1, count + 1):
        upload_job_config.delay(job_id=number)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and its seconds."""
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(measure_batches(), indent=2))
