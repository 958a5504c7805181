"""Uploads of a page that fail, or cannot be recorded."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.errors import (
    SourceMissingError,
    SqlUnavailableError,
    StoreUnavailableError,
    UnexpectedError,
)
from artifact_pipeline.domain.fakes import InMemoryStore
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.jobs import Run
from artifact_pipeline.domain.model.transfers import (
    Direction,
    TransferState,
    TransferSummary,
)
from artifact_pipeline.domain.ports.workspace import Source
from tests.contract.transfer_steps import published
from tests.domain.pages.steps import CONFIGS, COUNT, DONE, grown, request_of, states
from tests.domain.paging import (
    PATIENCE,
    FakePages,
    HeldStore,
    Watched,
    page_runner,
)
from tests.domain.world import World


def test_a_bad_row_fails_alone(world: World, pages: FakePages) -> None:
    # Given one without a file, one of another job's run, one that S3 refuses to take for now
    del world.workspace.contents[CONFIGS[3]]
    world.runs.rows[104] = Run(104, 13)
    # When
    grown(world, pages)
    # Then
    assert world.latest(CONFIGS[3]).state is TransferState.QUARANTINED
    assert world.latest(CONFIGS[4]).state is TransferState.QUARANTINED
    assert states(world).count(DONE) == COUNT - 2


def test_the_task_fails_by_its_own_upload_alone(world: World, pages: FakePages) -> None:
    del world.workspace.contents[CONFIGS[0]]
    with pytest.raises(SourceMissingError):
        grown(world, pages)
    assert states(world).count(DONE) == COUNT - 1


def test_the_failure_of_another_upload_is_not_the_tasks(
    world: World, pages: FakePages, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    del world.workspace.contents[CONFIGS[3]]
    watch = Watched()
    # When
    grown(world, pages, watch)
    # Then it is told all the same
    [failed] = [end for end in watch.ends if not isinstance(end.result, TransferSummary)]
    assert isinstance(failed.result, SourceMissingError)
    assert failed.request_id == request_of(CONFIGS[3])
    assert f"{CONFIGS[3]}: quarantined, source_missing" in caplog.text


def test_rows_that_cannot_be_recorded_together_are_recorded_alone(
    world: World, pages: FakePages
) -> None:
    pages.failures += [UnexpectedError("a value too long"), SqlUnavailableError("gone")]
    grown(world, pages)
    assert states(world) == [DONE] * COUNT


def test_a_cancelled_row_is_not_recorded(world: World, pages: FakePages, held: HeldStore) -> None:
    # Given one that is cancelled while it is uploaded
    held.held = {"run_103_"}
    with ThreadPoolExecutor() as pool:
        page = pool.submit(grown, world, pages)
        for _ in range(COUNT):
            assert held.begun.acquire(timeout=PATIENCE)
        world.transfers.cancel(12, 103, None)
        # When
        held.released.set()
        page.result(PATIENCE)
    # Then
    assert world.latest(CONFIGS[3]).state is TransferState.CANCELLED
    assert CONFIGS[3] not in world.artifacts.rows
    assert states(world).count(DONE) == COUNT - 1


def test_a_row_that_was_taken_over_is_doubted(
    world: World, pages: FakePages, held: HeldStore
) -> None:
    # Given one whose lease a successor has taken over
    held.held = {"run_103_"}
    with ThreadPoolExecutor() as pool:
        page = pool.submit(grown, world, pages)
        for _ in range(COUNT):
            assert held.begun.acquire(timeout=PATIENCE)
        taken = world.latest(CONFIGS[3])
        world.transfers._keep(taken, fence=taken.fence + 1, lease_owner="worker-2")
        # When
        held.released.set()
        page.result(PATIENCE)
    # Then
    late = world.latest(CONFIGS[3])
    assert (late.state, late.lease_owner) == (TransferState.RUNNING, "worker-2")
    assert late.doubted_at is not None


def test_an_object_of_a_lost_answer_is_taken_for_this_one(world: World, pages: FakePages) -> None:
    # Given an attempt that stored its object and recorded nothing
    world.upload(CONFIGS[2], request_of(CONFIGS[2]))
    del world.artifacts.rows[CONFIGS[2]]
    world.transfers.request(CONFIGS[2], Direction.UPLOAD, "again")
    # When
    grown(world, pages)
    # Then
    assert states(world) == [DONE] * COUNT


def test_an_outage_of_s3_costs_a_page_no_more_attempts_than_lone_uploads(
    world: World, pages: FakePages
) -> None:
    # Given
    world.store.failures += [StoreUnavailableError("503")] * COUNT
    # When
    with pytest.raises(StoreUnavailableError):
        grown(world, pages)
    # Then what was not tried before the circuit opened has spent no attempt
    attempts = [world.latest(config).attempts for config in CONFIGS]
    assert sum(attempts) <= 4
    # And no more than one upload is claimed while it is open
    page_runner(world, pages)(CONFIGS[-1], request_of(CONFIGS[-1]))
    assert len(pages.claimed) == 1


def test_while_sql_is_away_no_row_waits_for_its_own_time_out(
    world: World, pages: FakePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    tries: list[object] = []

    def away(*args: object) -> None:
        tries.append(args)
        raise SqlUnavailableError("no answer")

    pages.failures += [SqlUnavailableError("no answer")] * COUNT
    monkeypatch.setattr(world.transfers, "record", away)
    monkeypatch.setattr(world.transfers, "wait", away)
    # When
    with pytest.raises(SqlUnavailableError):
        grown(world, pages)
    # Then two rows were tried, each with its outcome and with its failure
    assert len(tries) == 4


def test_the_retry_of_an_upload_claimed_ahead_is_published_like_any_other(
    world: World, pages: FakePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given messages that were sent, one of an upload that S3 refuses to take for now
    assert len(published(world.transfers)) == COUNT

    def put(store: HeldStore, key: str, source: Source, **how: Any) -> StoredObject:
        if "run_103_" in key:
            raise StoreUnavailableError("503")
        return InMemoryStore.put(store, key, source, **how)

    monkeypatch.setattr(HeldStore, "put", put)
    # When
    grown(world, pages)
    # Then it waits without a message, and is published once it is due again
    failed = world.latest(CONFIGS[3])
    assert (failed.state, failed.attempts) == (TransferState.WAITING, 1)
    assert (failed.enqueued_at, failed.lease_owner) == (None, None)
    world.clock.advance(timedelta(hours=1))
    assert [each.artifact for each in published(world.transfers)] == [CONFIGS[3]]
