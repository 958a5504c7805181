"""How PostgreSQL finds what the application shows among many transfers and jobs."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from artifact_pipeline.worker.sql.engine import make_engine
from tests.web.steps import Client, World

_FILL = (
    """
INSERT INTO jobs (id, user_id, status, created_at, tags)
SELECT n, 1 + n % 20, 'COMPLETED', timestamp '2026-01-01', '["cfd"]'
FROM generate_series(1, 20000) n
""",
    """
INSERT INTO artifacts (job_id, kind, key, scheme, size, sha256, s3_checksum, etag, storage_class,
                       links_left_out, stored_at)
SELECT n, 'job_config', 'jobs/' || n, 'prefix', 1, '', '', '', 'STANDARD', 0, now()
FROM generate_series(1, 20000) n
""",
    """
INSERT INTO transfers (request_id, job_id, kind, direction, state, attempts, fence, requested_at,
                       next_attempt_at, finished_at, reason_code)
SELECT 'request-' || n, n, 'job_config', 'upload',
       CASE WHEN n % 500 = 0 THEN 'quarantined' WHEN n % 500 = 1 THEN 'running' ELSE 'done' END,
       1, 1, at, at, at, CASE WHEN n % 500 = 0 THEN 'poisoned' END
FROM generate_series(1, 20000) n,
     LATERAL (SELECT timezone('utc', now()) - n * interval '1 min' AS at) moment
""",
    """
INSERT INTO operator_actions (name, actor, target, started_at)
SELECT 'batch pause', 'anna', '{}', now() FROM generate_series(1, 5000)
""",
)
_PATHS = (
    *("/jobs", "/jobs?user_id=7", "/jobs?tag=cfd", "/jobs?before=9000", "/jobs/12"),
    *("/jobs/12/history", "/quarantine", "/quarantine/transfers"),
    *("/quarantine/transfers?reason=poisoned", "/quarantine/selection?reason=poisoned"),
    *("/batches", "/batches?before=9", "/audit", "/audit?before=2500"),
)
_OF_THE_PIPELINE = ("transfers", "artifacts", "operator_actions", "batches", "batch_members")


@pytest.fixture
def filled(postgres_url: str) -> Iterator[Engine]:
    engine = make_engine(postgres_url)
    with engine.begin() as connection:
        for statement in _FILL:
            connection.execute(text(statement))
        for table in ("jobs", *_OF_THE_PIPELINE):
            connection.execute(text(f"ANALYZE {table}"))
    yield engine
    engine.dispose()


@pytest.fixture
def world(filled: Engine, tmp_path: Path) -> Iterator[World]:
    world = World(filled, tmp_path)
    yield world
    world.close()


class Seen:
    """The statements of an engine, with their parameters."""

    def __init__(self, engine: Engine) -> None:
        self.statements: list[tuple[str, Any]] = []
        event.listen(engine, "before_cursor_execute", self._note)

    def _note(
        self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> None:
        if "SELECT" in statement:
            self.statements.append((statement, parameters))


def plans(engine: Engine, seen: Seen) -> list[str]:
    with engine.connect() as connection:
        return [
            "\n".join(
                str(row[0])
                for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            )
            for statement, parameters in seen.statements
        ]


def assert_no_table_is_read_whole(found: list[str]) -> None:
    assert found
    for plan in found:
        for table in ("jobs", "transfers", "artifacts", "operator_actions"):
            assert f"Seq Scan on {table}" not in plan, plan


@pytest.mark.parametrize("path", _PATHS)
def test_every_statement_of_an_answer_uses_an_index(
    client: Client, world: World, filled: Engine, path: str
) -> None:
    # Given
    seen = Seen(world.sources.engine)
    # When
    assert client.request("GET", f"/api/v1{path}").status_code == 200
    # Then
    assert_no_table_is_read_whole(plans(filled, seen))


def test_every_statement_of_the_overview_uses_an_index(world: World, filled: Engine) -> None:
    # Given a history that is known by now
    overviews = world.service.overviews
    world.read_history()
    overviews._look()
    seen = Seen(world.sources.engine)
    # When
    overviews._looks._known = None
    asyncio.run(overviews.get())
    # Then
    assert_no_table_is_read_whole(plans(filled, seen))


def test_leases_are_found_by_an_index(world: World, filled: Engine) -> None:
    seen = Seen(world.sources.engine)
    asyncio.run(world.service.system.get(with_findings=False))
    assert_no_table_is_read_whole(plans(filled, seen))
