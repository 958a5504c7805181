"""Uploads in pages."""

from dataclasses import replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import (
    StoreUnavailableError,
)
from artifact_pipeline.domain.model.transfers import (
    Direction,
    TransferState,
    TransferSummary,
)
from tests.domain.pages.steps import CONFIGS, COUNT, DONE, grown, request_of, states
from tests.domain.paging import (
    UNHURRIED,
    FakePages,
    page_runner,
)
from tests.domain.world import RESULTS, World


def test_one_message_uploads_what_is_due_with_it(world: World, pages: FakePages) -> None:
    # When
    grown(world, pages)
    # Then each is stored and recorded as if it had been alone, each with one request to S3
    assert states(world) == [DONE] * COUNT
    assert set(CONFIGS) <= world.artifacts.rows.keys()
    assert set(world.store.puts.values()) == {1}


def test_finished_uploads_are_recorded_in_groups(world: World, pages: FakePages) -> None:
    # Given pages that are larger than a group
    runner = page_runner(world, pages, replace(UNHURRIED, record_rows=16))
    runner._size = COUNT
    # When
    runner(CONFIGS[0], request_of(CONFIGS[0]))
    # Then
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


def test_the_message_of_an_upload_of_another_process_claims_nothing(
    world: World, pages: FakePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an upload that another process is at, and one that it has done
    lease = timedelta(minutes=1)
    running, done = CONFIGS[:2]
    for config in (running, done):
        world.transfers.claim(
            config, Direction.UPLOAD, request_of(config), owner="another", lease=lease
        )
    world.transfers._keep(world.latest(done), state=DONE)
    monkeypatch.delattr(type(world.transfers), "claim")
    # When
    runner = page_runner(world, pages)
    answers = [runner(config, request_of(config)).state for config in (running, done)]
    # Then
    assert answers == [TransferState.RUNNING, DONE]
    assert pages.claimed == [0, 0]


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


def test_a_lone_upload_needs_no_pool(
    world: World, pages: FakePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("artifact_pipeline.domain.transfers.page_runner.ThreadPoolExecutor")
    page_runner(world, pages, replace(UNHURRIED, size=1))(CONFIGS[0], request_of(CONFIGS[0]))
    assert (world.latest(CONFIGS[0]).state, pages.recorded) == (DONE, [1])
