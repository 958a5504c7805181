"""Uploads in pages."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import (
    SourceMissingError,
    SqlUnavailableError,
    StoreUnavailableError,
    UnexpectedError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Run
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import (
    Direction,
    Transfer,
    TransferState,
    TransferSummary,
)
from artifact_pipeline.domain.transfers.page_watch import UploadEnd
from tests.domain.paging import (
    PATIENCE,
    UNHURRIED,
    FakePages,
    HeldStore,
    Watched,
    page_runner,
)
from tests.domain.world import RESULTS, World

COUNT = 24
CONFIGS = [Artifact(ArtifactKind.RUN_CONFIG, 12, run) for run in range(100, 100 + COUNT)]
DONE = TransferState.DONE


@pytest.fixture
def world(world: World) -> World:
    """With many configs that are asked for."""
    world.store = HeldStore(clock=world.clock)
    for config in CONFIGS:
        assert config.run_id is not None
        world.runs.rows[config.run_id] = Run(config.run_id, 12)
        world.workspace.contents[config] = str(config).encode()
        ask(world, config)
    return world


@pytest.fixture
def pages(world: World) -> FakePages:
    return FakePages(world)


@pytest.fixture
def held(world: World) -> Iterator[HeldStore]:
    """The world's bucket, whose puts can be kept waiting until the test has ended."""
    store = world.store
    assert isinstance(store, HeldStore)
    yield store
    store.released.set()


def ask(world: World, artifact: Artifact) -> Transfer:
    return world.transfers.request(artifact, Direction.UPLOAD, request_of(artifact))


def request_of(artifact: Artifact) -> str:
    return f"of {artifact}"


def states(world: World) -> list[TransferState]:
    return [world.latest(config).state for config in CONFIGS]


def grown(world: World, pages: FakePages, watch: Watched | None = None) -> None:
    """Upload all in pages that may be as large as they like from the first on."""
    limits = replace(UNHURRIED, threads=4)
    runner = page_runner(world, pages, limits, watch)
    runner._size = COUNT
    runner(CONFIGS[0], request_of(CONFIGS[0]))


def test_one_message_uploads_what_is_due_with_it(world: World, pages: FakePages) -> None:
    # When
    grown(world, pages)
    # Then each is stored and recorded as if it had been alone, each with one request to S3
    assert states(world) == [DONE] * COUNT
    assert set(CONFIGS) <= world.artifacts.rows.keys()
    assert set(world.store.puts.values()) == {1}


def test_finished_uploads_are_recorded_sixteen_at_a_time(world: World, pages: FakePages) -> None:
    grown(world, pages)
    assert pages.recorded == [16, COUNT - 16]


def test_the_task_answers_for_its_own_upload(world: World, pages: FakePages) -> None:
    # Given the message of one that is not the first
    own, size = CONFIGS[5], len(world.workspace.contents[CONFIGS[5]])
    # When
    summary = page_runner(world, pages)(own, request_of(own))
    # Then
    assert (summary.state, summary.size) == (DONE, size)


def test_pages_grow_while_they_are_done_in_time(world: World, pages: FakePages) -> None:
    # Given
    runner = page_runner(world, pages, replace(UNHURRIED, size=10))
    # When messages come for all
    for config in CONFIGS:
        runner(config, request_of(config))
    # Then the first page has one upload for each thread
    assert [count for count in pages.claimed if count] == [4, 8, 10, 2]


def test_what_is_done_is_not_asked_about_again(world: World, pages: FakePages) -> None:
    # Given
    runner = page_runner(world, pages)
    runner(CONFIGS[0], request_of(CONFIGS[0]))
    claims = len(pages.claimed)
    # When the message of another one of the page comes
    summary = runner(CONFIGS[1], request_of(CONFIGS[1]))
    # Then
    assert summary == TransferSummary(state=DONE)
    assert len(pages.claimed) == claims


def test_one_id_may_name_the_uploads_of_two_artifacts(world: World, pages: FakePages) -> None:
    # Given a client that has used one id twice
    for config in CONFIGS[:2]:
        world.transfers.cancel(12, config.run_id, None)
        world.transfers.request(config, Direction.UPLOAD, "reused")
    runner = page_runner(world, pages)
    runner._size = 2 * COUNT
    # When both are in one page
    runner(CONFIGS[0], "reused")
    # Then
    assert [world.latest(config).state for config in CONFIGS[:2]] == [DONE, DONE]
    # And a third one is not taken for one of them
    world.transfers.request(CONFIGS[-1], Direction.UPLOAD, "reused")
    assert world.latest(CONFIGS[-1]).state is TransferState.REQUESTED
    runner(CONFIGS[-1], "reused")
    assert world.latest(CONFIGS[-1]).state is DONE


def test_large_kinds_are_uploaded_alone(world: World, pages: FakePages) -> None:
    summary = page_runner(world, pages)(RESULTS, "results")
    assert (summary.state, pages.claimed) == (DONE, [])


def test_what_has_failed_before_is_tried_alone(world: World, pages: FakePages) -> None:
    # Given
    world.store.failures.append(StoreUnavailableError("503"))
    with pytest.raises(StoreUnavailableError):
        world.upload(CONFIGS[0], request_of(CONFIGS[0]))
    world.clock.advance(timedelta(hours=1))
    # When
    page_runner(world, pages)(CONFIGS[0], request_of(CONFIGS[0]))
    # Then
    assert (pages.claimed, pages.recorded) == ([0], [])
    assert states(world) == [DONE] + [TransferState.REQUESTED] * (COUNT - 1)


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


def test_a_slow_upload_does_not_keep_the_others_from_being_recorded(
    world: World, pages: FakePages, held: HeldStore
) -> None:
    # Given
    held.held = {"run_100_"}
    watch = AwaitedWatch(COUNT - 1)
    runner = page_runner(world, pages, replace(UNHURRIED, record_seconds=0.01), watch)
    runner._size = COUNT
    with ThreadPoolExecutor() as pool:
        # When
        page = pool.submit(runner, CONFIGS[0], request_of(CONFIGS[0]))
        # Then
        assert watch.enough.wait(PATIENCE)
        assert states(world) == [TransferState.RUNNING] + [DONE] * (COUNT - 1)
        held.released.set()
        page.result(PATIENCE)


def test_what_is_not_begun_in_time_is_given_back(
    world: World, pages: FakePages, held: HeldStore
) -> None:
    # Given a bucket that keeps every thread busy
    held.held = {"config"}
    runner = page_runner(world, pages, replace(UNHURRIED, begin_seconds=0.01, threads=2))
    runner._size = COUNT
    with ThreadPoolExecutor() as pool:
        # When
        page = pool.submit(runner, CONFIGS[0], request_of(CONFIGS[0]))
        # Then the claims end while the uploads go on
        assert pages.gave_back.wait(PATIENCE)
        held.released.set()
        page.result(PATIENCE)
    begun = states(world).count(DONE)
    assert 1 <= begun <= 2
    assert len(pages.given_back) == COUNT - begun
    assert {world.latest(config).attempts for config in pages.given_back} == {0}
    # And the next page is no larger
    assert runner._size == begun


def test_the_first_upload_is_begun_however_late_it_is(world: World, pages: FakePages) -> None:
    runner = page_runner(world, pages, replace(UNHURRIED, begin_seconds=0))
    runner._size = COUNT
    runner(CONFIGS[0], request_of(CONFIGS[0]))
    assert world.latest(CONFIGS[0]).state is DONE


def test_an_interrupted_page_gives_back_what_it_has_not_begun(
    world: World, pages: FakePages, held: HeldStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a page that is interrupted, as by a time limit, while it waits for its threads
    held.held = {"config"}

    class Interrupted(Exception):  # noqa: N818 - as a signal's handler raises it
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    monkeypatch.setattr("artifact_pipeline.domain.transfers.page.Page._collect", interrupt)
    # When
    with pytest.raises(Interrupted):
        grown(world, pages)
    # Then
    assert len(pages.given_back) >= COUNT - UNHURRIED.threads
    held.released.set()


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


def test_the_watch_learns_of_a_release_before_it_is_written(world: World, pages: FakePages) -> None:
    # Given
    del world.workspace.contents[CONFIGS[3]]
    watch = Watched()
    # When
    grown(world, pages, watch)
    # Then
    told = [name for name, ids in watch.events if request_of(CONFIGS[3]) in ids]
    assert told == ["claimed", "releasing", "ended"]
    # And its own message is the task's affair
    assert all(request_of(CONFIGS[0]) not in ids for _, ids in watch.events)


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


def test_a_lone_upload_needs_no_pool(
    world: World, pages: FakePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("artifact_pipeline.domain.transfers.page_runner.ThreadPoolExecutor")
    page_runner(world, pages, replace(UNHURRIED, size=1))(CONFIGS[0], request_of(CONFIGS[0]))
    assert (world.latest(CONFIGS[0]).state, pages.recorded) == (DONE, [1])


class AwaitedWatch(Watched):
    """A watch for which so many ends can be waited."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.enough = threading.Event()
        self._count = count

    def ended(self, ends: Sequence[UploadEnd]) -> None:
        super().ended(ends)
        if len(self.ends) >= self._count:
            self.enough.set()
