"""How PostgreSQL finds what may be pruned among many transfers."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.history import SqlHistory

DAY = timedelta(days=1)
_FILL = """
INSERT INTO transfers (request_id, job_id, kind, direction, state, attempts, fence, requested_at,
                       next_attempt_at, finished_at)
SELECT 'request-' || n, 1 + n % 10000, 'job_config', 'upload', 'done', 1, 1, ended, ended, ended
FROM generate_series(1, 20000) n, (VALUES (timestamp '2026-01-01')) of(ended)
"""


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = make_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text(_FILL))
        connection.execute(text("ANALYZE transfers"))
    yield engine
    engine.dispose()


def test_every_statement_of_a_page_uses_an_index(engine: Engine) -> None:
    # Given what pruning a page executes
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    history = SqlHistory(engine)
    event.listen(engine, "before_cursor_execute", note)
    page = history.page(DAY, after=5_000, limit=500)
    assert history.prune_transfers(page.prunable, DAY) == 500
    event.remove(engine, "before_cursor_execute", note)
    # Then no statement reads the whole table
    with engine.connect() as connection:
        for statement, parameters in seen:
            explained = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            plan = "\n".join(str(row[0]) for row in explained)
            assert "Seq Scan" not in plan
            assert "transfers_pkey" in plan or "transfers_of_job" in plan
