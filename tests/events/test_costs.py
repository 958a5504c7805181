"""What events cost: on PostgreSQL no round trip, and where they are off no row."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select, text

from artifact_pipeline.domain.errors import SourceMissingError
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.event_log import NO_EVENTS, EventLog
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.upload_pages import SqlUploadPages
from benchmarks.probes import RoundTrips
from tests.sql.steps import CONFIG, LOCATION, claimed, job_row, run_row, stored_artifact
from tests.sql.steps import insert as insert_rows
from tests.sql.upload_pages.steps import RUN_CONFIGS, Pages, upload_of, uploads_of

TARGETS = EventLog(("task", "webhook"))
UPLOADS = 16
"""A worker records so many together."""


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = make_engine(postgres_url)
    insert_rows(engine, job_row(), *(run_row(run_id) for run_id in range(1, UPLOADS + 1)))
    yield engine
    engine.dispose()


@pytest.fixture
def world(postgres_url: str) -> Iterator[Pages]:
    world = Pages(postgres_url)
    yield world
    world.close()


def round_trips_of_a_page(engine: Engine, events: EventLog) -> int:
    """Record a page, and return how often it waited for PostgreSQL."""
    transfers, pages = SqlTransfers(engine), SqlUploadPages(engine, events)
    artifacts = [type(CONFIG)(RUN_CONFIGS[0].kind, 12, run) for run in range(1, UPLOADS + 1)]
    with RoundTrips(engine) as trips:
        for warm_up in ("first", "second"):
            claims = [claimed(transfers, each, f"{warm_up} {each} {events}") for each in artifacts]
            trips.taken()
            recorded = pages.record(uploads_of(claims))
            assert len(recorded) == UPLOADS
        return trips.taken()


def test_a_page_takes_one_round_trip_with_events_too(engine: Engine) -> None:
    # When
    without = round_trips_of_a_page(engine, NO_EVENTS)
    assert not SqlEventOutbox(engine).list(10)
    with_events = round_trips_of_a_page(engine, TARGETS)
    # Then it is less than a tenth of a round trip for each upload
    assert with_events == without == 1
    assert with_events / UPLOADS <= 0.1
    # And each upload of both pages of the second call was told to both targets
    assert len(SqlEventOutbox(engine).list(1_000)) == 2 * 2 * UPLOADS


def test_a_lone_record_and_a_quarantine_take_no_further_round_trip(engine: Engine) -> None:
    def trips_of(events: EventLog) -> list[int]:
        transfers, counted = SqlTransfers(engine, events), []
        with RoundTrips(engine) as trips:
            for request_id in ("warm up", "counted"):
                claim = claimed(transfers, CONFIG, f"{request_id} {events}")
                trips.taken()
                transfers.record(claim, stored_artifact(CONFIG), LOCATION)
            counted.append(trips.taken())
            claim = claimed(transfers, CONFIG, f"given up {events}")
            trips.taken()
            transfers.quarantine(claim, SourceMissingError())
            counted.append(trips.taken())
        return counted

    assert trips_of(TARGETS) == trips_of(NO_EVENTS)


def test_a_page_that_cannot_be_recorded_together_tells_what_is(world: Pages) -> None:
    # Given a page with a value that does not fit its column
    world.pages = SqlUploadPages(world.engine, EventLog(("webhook",)))
    claims = world.claimed(CONFIG, *RUN_CONFIGS)
    uploads = uploads_of(claims[1:])
    # When
    recorded = world.pages.record([upload_of(claims[0], tier_name="x" * 100), *uploads])
    # Then
    assert recorded == {claim.transfer_id for claim in claims[1:]}
    told = SqlEventOutbox(world.engine).list(10)
    assert {each.event.transfer_id for each in told} == recorded


def test_an_event_is_there_exactly_if_its_transfer_has_ended(engine: Engine) -> None:
    # Given a transaction that is not committed
    transfers = SqlTransfers(engine, TARGETS)
    claim = claimed(transfers, CONFIG, "a")
    with engine.connect() as connection, connection.begin() as begun:
        connection.execute(text("SELECT 1"))
        TARGETS.end_stored(connection, claim, 5)
        state = select(TransferRow.state).where(TransferRow.id == claim.transfer_id)
        assert connection.scalar(state) == "done"
        # When the worker dies
        begun.rollback()
    # Then
    assert not SqlEventOutbox(engine).list(10)
