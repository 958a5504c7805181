"""Pages that take long, and what they give back."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.domain.model.transfers import (
    TransferState,
)
from tests.domain.pages.steps import CONFIGS, COUNT, DONE, AwaitedWatch, grown, request_of, states
from tests.domain.paging import (
    PATIENCE,
    UNHURRIED,
    FakePages,
    HeldStore,
    Watched,
    page_runner,
)
from tests.domain.world import World


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
        # And their messages are sent again while the uploads go on
        assert pages.sent.acquire(timeout=PATIENCE)
        held.released.set()
        page.result(PATIENCE)
    begun = states(world).count(DONE)
    assert 1 <= begun <= 2
    assert len(pages.given_back) == COUNT - begun
    assert pages.published == pages.given_back
    assert {world.latest(config).attempts for config in pages.given_back} == {0}
    # And the next page is no larger
    assert runner._size == begun


def test_pages_grow_slowly_once_something_was_given_back(world: World, pages: FakePages) -> None:
    # Given a page that gave back all but its first upload
    runner = page_runner(world, pages, replace(UNHURRIED, begin_seconds=0))
    runner._size = COUNT
    runner(CONFIGS[0], request_of(CONFIGS[0]))
    # When the others are done in time
    runner._limits = UNHURRIED
    for config in CONFIGS[1:]:
        runner(config, request_of(config))
    # Then
    assert [size for size in pages.claimed if size] == [COUNT, 1, 2, 3, 4, 5, 6, 2]


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
    # And of the upload of the message no more than that it is done
    assert [end.request_id for end in watch.own] == [request_of(CONFIGS[0])]


def test_a_broker_that_is_away_costs_a_page_nothing(
    world: World, pages: FakePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a page that gives back all but its first upload
    def away(_: object) -> None:
        raise BrokerUnavailableError("no answer")

    monkeypatch.setattr(pages, "publish", away)
    runner = page_runner(world, pages, replace(UNHURRIED, begin_seconds=0))
    runner._size = COUNT
    # When
    runner(CONFIGS[0], request_of(CONFIGS[0]))
    # Then the others wait for the dispatch
    assert states(world) == [DONE] + [TransferState.WAITING] * (COUNT - 1)
    assert all(world.latest(config).enqueued_at is None for config in CONFIGS[1:])
