"""How long the web application's answers take on a large database: `python -m benchmarks.web`.

It fills an empty PostgreSQL with 100,000 jobs, a run of each, and a million transfers of the
last eight days: of a thousand, 20 wait, 1 runs, 30 are in quarantine, and the rest is done. Each
answer of the API and each page is asked for again and again in this process, through the whole
application: how long the first one and the others take, the CPU time of this process, and the
slowest statement. With `--open` so many overviews are open at once.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, Engine, Integer, bindparam, event, text
from starlette.types import ASGIApp

from artifact_pipeline.domain.maintenance.pipeline_status import BrokerStatus
from artifact_pipeline.worker.composition.adapters import Adapters
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.file_store.root import StoreRoot
from artifact_pipeline.worker.settings import WebSettings
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.migrate import upgrade
from artifact_pipeline.worker.web.access.users import LocalAccess
from artifact_pipeline.worker.web.app import create_app
from artifact_pipeline.worker.web.pages.routes import page_routes
from artifact_pipeline.worker.web.reads.broker import BrokerView
from artifact_pipeline.worker.web.service import WebService
from artifact_pipeline.worker.web.sources import Sources
from benchmarks.filling import run_maintenance
from tests.faults.postgres import RestartablePostgres

_DATABASE = "web"
_JOBS = 100_000
_TRANSFERS_OF_A_JOB = 10
_TIMES = 30
_API = "/api/v1"

_FILL = (
    """
INSERT INTO jobs (id, user_id, status, created_at, tags)
SELECT n, 1 + n % 200, 'COMPLETED', now() - interval '8 days' + n * interval '6 s',
       CASE WHEN n % 1000 = 0 THEN '["rare"]'::json ELSE '["cfd"]'::json END
FROM generate_series(1, :jobs) n
""",
    """
INSERT INTO runs (id, job_id, user_id, status, created_at)
SELECT n, n, 1 + n % 200, 'DONE', now() FROM generate_series(1, :jobs) n
""",
    """
INSERT INTO artifacts (job_id, run_id, kind, key, scheme, size, sha256, s3_checksum, etag,
                       storage_class, links_left_out, stored_at)
SELECT n, CASE WHEN kind LIKE 'run%' THEN n END, kind, 'jobs/' || n || '/' || kind, 'prefix', 1000,
       repeat('0', 64), '', 'e', 'STANDARD', 0, now()
FROM generate_series(1, :jobs) n, (VALUES ('job_config'), ('run_config'), ('run_results')) of(kind)
""",
    """
INSERT INTO batches (requested_by, reason, filter, state, requested_at, mode, members, started_at)
SELECT 'benchmark', 'measured', '{}', 'running', now(), 'all', :members, now()
""",
    """
INSERT INTO transfers (request_id, job_id, run_id, kind, direction, state, attempts, fence,
                       requested_at, next_attempt_at, finished_at, claimed_at, bytes_sent,
                       reason_code, lease_owner, lease_expires_at, requested_by)
SELECT 'request-' || n, 1 + (n - 1) % :jobs, CASE WHEN k % 2 = 0 THEN 1 + (n - 1) % :jobs END,
       (ARRAY['run_config', 'job_config', 'run_results', 'job_input'])[1 + k % 4], 'upload', state,
       1, 1, at, at, CASE WHEN state IN ('done', 'quarantined') THEN at END, at,
       CASE WHEN state = 'done' THEN 1000 END,
       CASE WHEN state = 'quarantined'
            THEN (ARRAY['source_missing', 'access_denied', 'poisoned'])[1 + n % 3] END,
       CASE WHEN state = 'running' THEN 'worker@host' END,
       CASE WHEN state = 'running' THEN timezone('utc', now()) + interval '1 min' END,
       (n % 200)::text
FROM generate_series(1, :jobs * :each) n,
     LATERAL (SELECT (n - 1) / :jobs AS k) of_job,
     LATERAL (SELECT timezone('utc', now()) - interval '8 days' * (1 - n::float / (:jobs * :each))
              AS at) moment,
     LATERAL (SELECT CASE WHEN n % 1000 < 20 AND k = 9 - n % 2 THEN 'waiting'
                          WHEN n % 1000 = 20 AND k = 9 THEN 'running'
                          WHEN n % 1000 BETWEEN 30 AND 59 THEN 'quarantined'
                          ELSE 'done' END AS state) of_state
""",
    """
INSERT INTO batch_members (batch_id, position, job_id, run_id, kind, direction, user_id, state)
SELECT 1, n, n, NULL, 'job_config', 'upload', 1, 'done' FROM generate_series(1, :members) n
""",
    "UPDATE transfers SET batch_id = 1 WHERE id <= :members",
    """
INSERT INTO operator_actions (name, actor, reason, target, started_at)
SELECT 'batch pause', 'benchmark', 'measured', '{}', now() FROM generate_series(1, 10000)
""",
)
_ASKED: Mapping[str, Mapping[str, Any]] = {
    "/overview": {},
    "/jobs": {},
    "/jobs?user_id": {"user_id": 7},
    "/jobs?tag": {"tag": "rare"},
    "/jobs?run_id": {"run_id": 5_000},
    "/jobs?before": {"before": 50_000},
    "/jobs/777": {},
    "/jobs/777/history": {},
    "/batches": {},
    "/batches/1": {},
    "/batches/1/members": {"after": 5_000},
    "/batches/1/members?outcome": {"outcome": "failed"},
    "/quarantine": {},
    "/quarantine/transfers": {},
    "/quarantine/transfers?reason": {"reason": "poisoned"},
    "/quarantine/selection": {"reason": "poisoned"},
    "/system": {},
    "/audit": {"before": 5_000},
    "/openapi.json": {},
}
_PAGES: Mapping[str, Mapping[str, Any]] = {
    "/": {},
    "/?span=week": {"span": "week"},
    "/transfers": {},
    "/transfers?phase=due": {"phase": "due"},
    "/transfers?state=done": {"state": "done", "ended_within": 604_800},
    "/transfers?requested_by": {"requested_by": "7"},
    "/jobs": {},
    "/jobs?tag": {"tag": "rare"},
    "/jobs/777": {},
    "/jobs/777/history": {},
    "/batches": {},
    "/batches/new": {},
    "/batches/1": {},
    "/quarantine": {},
    "/quarantine/poisoned": {},
    "/quarantine/poisoned/retry": {},
    "/system": {},
    "/history": {},
}


class _NoBroker:
    """A broker that has answered, since the database is what is measured."""

    def view(self) -> BrokerView:
        return BrokerView(status=BrokerStatus(), workers=())

    def close(self) -> None:
        """Have nothing to close."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """An answer that was asked for.

    Attributes:
        first, median, slowest, cpu, statement: in milliseconds. `cpu` is of this process alone,
            `statement` the slowest one of the database.
        statements: of one answer.
    """

    first: float
    median: float
    slowest: float
    cpu: float
    statement: float
    statements: float


def measure_web(url: str, directory: Path, jobs: int, opened: int) -> None:
    engine = make_engine(url)
    upgrade(engine, with_platform_tables=True)
    _fill(engine, jobs)
    store = StoreRoot(directory)
    store.initialize()
    settings = WebSettings(database_url=url, broker_url="redis://127.0.0.1:1/0", store=store.url)
    app = fail_fast_app(settings.broker)
    sources = Sources(settings=settings, adapters=Adapters(settings, "web:benchmark"), broker=app)
    sources.__dict__["watch"] = _NoBroker()
    service = WebService(sources)
    access = LocalAccess("benchmark")
    web = create_app(service, access=access, hosts=["*"], pages=page_routes())
    statements = _Statements(sources.engine)
    asyncio.run(_ask_all(web, statements))
    asyncio.run(_ask_at_once(service, statements, opened))
    service.close()
    engine.dispose()


def _fill(engine: Engine, jobs: int) -> None:
    given = {"jobs": jobs, "each": _TRANSFERS_OF_A_JOB, "members": jobs // 10}
    for statement in _FILL:
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            used = {name: value for name, value in given.items() if f":{name}" in statement}
            typed = (bindparam(name, type_=Integer) for name in used)
            connection.execute(text(statement).bindparams(*typed), used)
    run_maintenance(engine, "VACUUM ANALYZE")
    with engine.connect() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        counts = text("SELECT state, count(*) FROM transfers GROUP BY state ORDER BY state")
        print(", ".join(f"{number:,} {state}" for state, number in connection.execute(counts)))


class _Statements:
    """The seconds that each statement took."""

    def __init__(self, engine: Engine) -> None:
        self.taken: list[float] = []
        event.listen(engine, "before_cursor_execute", self._begin)
        event.listen(engine, "after_cursor_execute", self._end)

    def _begin(self, connection: Connection, *_: Any) -> None:
        connection.info["began"] = time.perf_counter()

    def _end(self, connection: Connection, *_: Any) -> None:
        self.taken.append(time.perf_counter() - connection.info["began"])


async def _ask_all(app: ASGIApp, statements: _Statements) -> None:
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
    asked = {f"{_API}{name}": query for name, query in _ASKED.items()} | dict(_PAGES)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for name, query in asked.items():
            answer = await _ask(client, name.partition("?")[0], query, statements)
            print(
                f"{name:40} first {answer.first:6.1f}, median {answer.median:6.1f},"
                f" slowest {answer.slowest:6.1f}, CPU {answer.cpu:5.1f} ms;"
                f" {answer.statements:4.1f} statements, slowest {answer.statement:6.1f} ms",
                flush=True,
            )


async def _ask(
    client: httpx.AsyncClient, path: str, query: Mapping[str, Any], statements: _Statements
) -> _Asked:
    statements.taken.clear()
    taken, used = [], []
    for _ in range(1 + _TIMES):
        began, used_before = time.perf_counter(), time.process_time()
        response = await client.get(path, params=query)
        taken.append(1000 * (time.perf_counter() - began))
        used.append(1000 * (time.process_time() - used_before))
        response.raise_for_status()
        await asyncio.sleep(0.05)
    first, *others = taken
    return _Asked(
        first=first,
        median=statistics.median(others),
        slowest=max(others),
        cpu=statistics.median(used),
        statement=1000 * max(statements.taken, default=0),
        statements=len(statements.taken) / len(taken),
    )


async def _ask_at_once(service: WebService, statements: _Statements, opened: int) -> None:
    """Compare one open overview with many, for three seconds each."""
    for number in (1, opened):
        statements.taken.clear()
        await asyncio.gather(*(_look(service) for _ in range(number)))
        print(f"{number} open overviews: {len(statements.taken)} statements in three seconds")


async def _look(service: WebService) -> None:
    seen = 0
    async for _ in service.overviews.changes():
        seen += 1
        if seen == 3:  # noqa: PLR2004 - one each second
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=_JOBS, help="ten transfers of each")
    parser.add_argument("--open", type=int, default=200, help="overviews at once")
    given = parser.parse_args()
    with RestartablePostgres() as postgres, tempfile.TemporaryDirectory() as directory:
        postgres.create(_DATABASE)
        measure_web(postgres.url(_DATABASE), Path(directory), given.jobs, given.open)
