"""Pages of a backlog: the order of claims among users, and the plan of a claim."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Integer, event, func, insert, literal, select, text, true

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.tables import TransferRow
from tests.sql.steps import HOUR, UPLOAD
from tests.sql.upload_pages.steps import RUN_CONFIGS, SMALL, Pages

BUSY, QUIET = 12, 13
PAGE = 32


def backlog(world: Pages, first: int, count: int, due: timedelta, **changes: Any) -> None:
    """Insert copies of an upload, for the runs from `first` on."""
    numbers = func.generate_series(first, first + count - 1, type_=Integer)
    series = numbers.table_valued("run_id").render_derived(name="series")
    values = {column.name: column for column in TransferRow.__table__.c if column.name != "id"} | {
        "run_id": series.c.run_id,
        "request_id": func.concat("request-", series.c.run_id),
        "next_attempt_at": utc_now(due),
        **{name: literal(value) for name, value in changes.items()},
    }
    copies = (
        select(*(value.label(name) for name, value in values.items()))
        .select_from(TransferRow)
        .join(series, true())
        .where(TransferRow.run_id == RUN_CONFIGS[0].run_id)
        .order_by(series.c.run_id)
    )
    with world.other.begin() as connection:
        connection.execute(insert(TransferRow).from_select(list(values), copies))


@pytest.fixture
def busy(world: Pages) -> Pages:
    """500 uploads of one user, then 10 of another, then 100 of the first."""
    world.transfers.request(RUN_CONFIGS[0], UPLOAD, str(RUN_CONFIGS[0]))
    backlog(world, 1000, 500, timedelta(minutes=-30), job_id=BUSY)
    backlog(world, 2000, 10, timedelta(minutes=-20), job_id=QUIET)
    backlog(world, 3000, 100, timedelta(minutes=-10), job_id=BUSY)
    return world


def claimed_by(world: Pages, run_id: int) -> list[int]:
    """Return the runs of the page that the message of this run claims."""
    job_id = QUIET if run_id in range(2000, 3000) else BUSY
    artifact = Artifact(ArtifactKind.RUN_CONFIG, job_id, run_id)
    page = world.pages.claim(
        artifact, f"request-{run_id}", kinds=SMALL, limit=PAGE, owner="host:1:2", lease=HOUR
    )
    return [upload.claim.artifact.run_id or 0 for upload in page]


def transactions(runs: list[int]) -> list[int]:
    """Return in which transaction each was requested; the order within one is free."""
    return [run_id // 1000 for run_id in runs]


def test_a_backlog_is_claimed_in_the_order_of_due_times(busy: Pages) -> None:
    # When messages arrive in the order of their requests
    claims: list[int] = []
    for run_id in (*range(1000, 1500), *range(2000, 2010)):
        claims += claimed_by(busy, run_id)
    # Then the user with few uploads waits for those that were due before, and for no other
    assert transactions(claims) == sorted(transactions(claims))
    assert {*range(1000, 1500), *range(2000, 2010)} <= set(claims)
    assert len(claims) == len(set(claims))


def test_later_messages_of_a_busy_user_do_not_delay_another(busy: Pages) -> None:
    # When only messages of the uploads that are due last arrive, until a page has others of those
    runs = range(3099, 3082, -1)
    pages = [claimed_by(busy, run_id) for run_id in runs]
    # Then each page has its own upload and those that have been due longest
    others = [run_id for page in pages for run_id in page[1:]]
    assert transactions(others[:510]) == [1] * 500 + [2] * 10
    assert set(others[:510]) == {*range(1000, 1500), *range(2000, 2010)}
    assert [page[0] for page in pages] == list(runs)


def test_a_claim_finds_its_page_by_the_index_of_untried_uploads(world: Pages) -> None:
    # Given many that have ended, and many of other kinds
    world.transfers.request(RUN_CONFIGS[0], UPLOAD, str(RUN_CONFIGS[0]))
    backlog(world, 1000, 20_000, timedelta(minutes=-30), state=TransferState.DONE.value)
    backlog(world, 30_000, 2_000, timedelta(minutes=-30), kind="run_results")
    backlog(world, 40_000, 2_000, timedelta(minutes=-30))
    with world.other.begin() as connection:
        connection.execute(text("ANALYZE transfers"))
    seen: list[tuple[str, Any]] = []
    event.listen(
        world.engine,
        "before_cursor_execute",
        lambda _, __, statement, values, *___: seen.append((statement, values)),
    )
    # When
    assert len(claimed_by(world, 40_000)) == PAGE
    # Then
    claim, values = next(each for each in seen if each[0].startswith("WITH"))
    with world.other.begin() as connection:
        explained = connection.exec_driver_sql(f"EXPLAIN {claim}", values)
        plan = "\n".join(explained.scalars())
    assert "transfers_untried_uploads" in plan, plan
    assert "Seq Scan on transfers" not in plan, plan
