"""When the processes of a worker claim pages one after the other."""

from dataclasses import replace

import pytest

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.transfers.done_uploads import OwnDoneUploads
from tests.domain.pages.steps import CONFIGS, grown, request_of
from tests.domain.paging import UNHURRIED, FakePages, page_runner
from tests.domain.world import RESULTS, World


class NotedTurns:
    """Turns that are free at once.

    Attributes:
        full: of each turn that has ended, whether its page was full.
        claimed: how many uploads had been claimed when each began.
    """

    def __init__(self, pages: FakePages) -> None:
        self.full: list[bool | None] = []
        self.claimed: list[int] = []
        self._pages = pages

    def take(self) -> float:
        self.claimed.append(sum(self._pages.claimed))
        return float(len(self.claimed))

    def end(self, turn: float, *, is_full: bool | None) -> None:
        assert turn == len(self.claimed) == len(self.full) + 1
        self.full.append(is_full)


@pytest.fixture
def turns(pages: FakePages) -> NotedTurns:
    return NotedTurns(pages)


def upload(world: World, pages: FakePages, turns: NotedTurns, *artifacts: Artifact) -> None:
    runner = page_runner(world, pages, replace(UNHURRIED, size=10), turns=turns)
    for artifact in artifacts:
        runner(artifact, request_of(artifact))


def test_each_page_is_claimed_and_done_in_a_turn(
    world: World, pages: FakePages, turns: NotedTurns
) -> None:
    # When messages come for all, and pages of 4, 8, 10 and 2 do them
    upload(world, pages, turns, *CONFIGS)
    # Then the last page shows that no more are due
    assert turns.claimed == [0, 4, 12, 22]
    assert turns.full == [True, True, True, False]


def test_a_message_without_a_page_tells_nothing_of_what_is_due(
    world: World, pages: FakePages, turns: NotedTurns
) -> None:
    # Given one that another process has done
    grown(world, pages)
    # When
    upload(world, pages, turns, CONFIGS[0])
    # Then
    assert turns.full == [None]


def test_what_another_process_has_done_meanwhile_costs_no_statement(
    world: World, pages: FakePages
) -> None:
    # Given a message whose upload is done by a page that is waited for
    done = OwnDoneUploads()

    class Waited(NotedTurns):
        def take(self) -> float:
            done.note(request_of(CONFIGS[0]), CONFIGS[0])
            return super().take()

    turns = Waited(pages)
    # When
    runner = page_runner(world, pages, turns=turns, done=done)
    summary = runner(CONFIGS[0], request_of(CONFIGS[0]))
    # Then
    assert (summary.state, pages.claimed, pages.asked_about) == (TransferState.DONE, [], [])
    assert turns.full == [None]


def test_a_turn_ends_though_the_claim_fails(
    world: World, pages: FakePages, turns: NotedTurns, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    def fail(*_: object, **__: object) -> None:
        raise SqlUnavailableError("SQL is away")

    monkeypatch.setattr(pages, "claim", fail)
    # When
    with pytest.raises(SqlUnavailableError):
        upload(world, pages, turns, CONFIGS[0])
    # Then
    assert turns.full == [None]


def test_large_uploads_wait_for_no_page(world: World, pages: FakePages, turns: NotedTurns) -> None:
    # Given
    world.transfers.request(RESULTS, Direction.UPLOAD, request_of(RESULTS))
    # When
    upload(world, pages, turns, RESULTS)
    # Then
    assert turns.full == []
