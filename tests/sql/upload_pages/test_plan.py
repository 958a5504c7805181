"""How PostgreSQL finds the uploads of a page among many."""

from typing import Any

from sqlalchemy import event, text

from tests.sql.upload_pages.steps import RUN_CONFIGS, Pages

_MANY_DUE_AT_ONE_TIME = """
INSERT INTO transfers (request_id, job_id, kind, direction, state, attempts, fence,
                       requested_at, next_attempt_at)
SELECT 'many-' || n, 1000 + n, 'job_config', 'upload', 'requested', 0, 0, '2026-01-01', '2026-01-01'
FROM generate_series(1, 20000) n
"""


def test_a_page_does_not_sort_what_is_due_at_one_time(world: Pages) -> None:
    # Given many uploads that were requested in one transaction
    with world.other.begin() as connection:
        connection.execute(text(_MANY_DUE_AT_ONE_TIME))
        connection.execute(text("ANALYZE transfers"))
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    # When a page is claimed
    event.listen(world.engine, "before_cursor_execute", note)
    world.page_of(RUN_CONFIGS[0], limit=32)
    event.remove(world.engine, "before_cursor_execute", note)

    # Then the index gives them in order, and only the page is sorted
    [(statement, parameters)] = seen
    with world.other.connect() as connection:
        explained = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        plan = [str(row[0]).strip() for row in explained]
    assert any("transfers_untried_uploads" in line for line in plan)
    assert not [line for line in plan if line.startswith("Sort Key:") and "kind" in line]
