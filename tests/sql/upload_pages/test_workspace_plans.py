"""What waits for a workspace that no worker serves costs the others nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, text

from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from tests.contract.transfer_steps import published
from tests.sql.steps import HOUR, UPLOAD
from tests.sql.upload_pages.steps import RUN_CONFIGS, SMALL, Pages

_BACKLOGS = """
INSERT INTO transfers (request_id, job_id, kind, direction, state, attempts, fence,
                       requested_at, next_attempt_at, workspace)
SELECT 'many-' || n, 1000 + n, 'job_config', 'upload', 'requested', 0, 0, '2026-01-01',
       '2026-01-01', CASE WHEN n % 20 = 0 THEN NULL ELSE 'gone-' || n % 7 END
FROM generate_series(1, 20000) n
"""
_ENDED = """
INSERT INTO transfers (request_id, job_id, kind, direction, state, attempts, fence,
                       requested_at, next_attempt_at, finished_at, workspace)
SELECT 'done-' || n, 50000 + n, 'job_config', 'upload', 'done', 1, 1, '2026-01-01', '2026-01-01',
       '2026-01-01', 'gone-' || n % 7
FROM generate_series(1, 20000) n
"""
HOST = "gone-1"


@pytest.fixture
def waiting(world: Pages) -> Pages:
    """Of 20,000 uploads, nineteen of twenty wait for hosts that are gone."""
    with world.other.begin() as connection:
        connection.execute(text(_BACKLOGS))
        connection.execute(text("ANALYZE transfers"))
    return world


def plan_of(world: Pages, call: Callable[[], object], word: str) -> str:
    """Return how PostgreSQL carries out the statement of the call that begins so."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(world.engine, "before_cursor_execute", note)
    call()
    event.remove(world.engine, "before_cursor_execute", note)
    statement, parameters = next(each for each in seen if each[0].startswith(word))
    with world.other.begin() as connection:
        explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE) {statement}", parameters)
        plan = "\n".join(explained.scalars())
        connection.rollback()
    return plan


def removed_rows(plan: str) -> int:
    """Return how many rows were read in vain."""
    lines = [line for line in plan.splitlines() if "Rows Removed" in line]
    return sum(int(line.rpartition(":")[2]) for line in lines)


def test_a_page_of_the_default_workspace_reads_no_others(waiting: Pages) -> None:
    waiting.transfers.request(RUN_CONFIGS[0], UPLOAD, str(RUN_CONFIGS[0]))
    plan = plan_of(waiting, lambda: waiting.page_of(RUN_CONFIGS[0], limit=32), "WITH")
    assert "transfers_untried_uploads" in plan, plan
    assert removed_rows(plan) < 10, plan


def test_a_page_of_a_host_reads_no_others(waiting: Pages) -> None:
    # Given
    asked = RUN_CONFIGS[0]
    waiting.transfers.request(asked, UPLOAD, str(asked), workspace=HOST)
    pages = SqlUploadPages(waiting.engine, workspace=HOST)

    def claim() -> object:
        return pages.claim(asked, str(asked), kinds=SMALL, limit=32, owner="host:1:2", lease=HOUR)

    # When
    plan = plan_of(waiting, claim, "WITH")
    # Then
    assert "transfers_untried_of_workspace" in plan, plan
    assert removed_rows(plan) < 10, plan


def test_the_dispatch_reads_no_transfers_that_have_ended(world: Pages) -> None:
    # Given many that have ended, and one that waits
    with world.other.begin() as connection:
        connection.execute(text(_ENDED))
        connection.execute(text("ANALYZE transfers"))
    world.transfers.request(RUN_CONFIGS[0], UPLOAD, "a", workspace=HOST)
    transfers = SqlTransfers(world.engine)
    # When
    names = plan_of(world, transfers.waiting_workspaces, "SELECT DISTINCT")
    due = plan_of(world, lambda: published(transfers, workspace=HOST), "SELECT transfers.id")
    # Then
    assert transfers.waiting_workspaces() == [HOST]
    for plan in (names, due):
        assert "Seq Scan" not in plan, plan
        assert removed_rows(plan) < 10, plan
