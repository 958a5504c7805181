"""Pruning in turns: a budget for each, and a pause between two passes."""

from datetime import timedelta

import pytest

from artifact_pipeline.domain.fakes import (
    Candidates,
    InMemoryArtifacts,
    InMemoryBatchSnapshots,
    InMemoryHistory,
    InMemoryJobs,
    InMemoryRuns,
    InMemoryTransfers,
)
from artifact_pipeline.domain.maintenance import prune_history
from artifact_pipeline.domain.maintenance.prune_history import PruneHistory
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.history import PrunedRows
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction

CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
HOUR = timedelta(hours=1)
ENDED = 250


def downloads(number: int) -> InMemoryHistory:
    """Return the history of an artifact that was downloaded so many times."""
    artifacts = InMemoryArtifacts()
    transfers = InMemoryTransfers(artifacts)
    for each in range(number):
        claim = transfers.claim(CONFIG, Direction.DOWNLOAD, str(each), owner="w", lease=HOUR)
        assert claim is not None
        transfers.finish(claim, 0)
    candidates = Candidates(transfers, InMemoryJobs(), InMemoryRuns(), artifacts, {})
    return InMemoryHistory(transfers, InMemoryBatchSnapshots(candidates))


def test_no_page_begins_after_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a clock that runs a second at each look
    monkeypatch.setattr(prune_history, "PAGE", 100)
    seconds = iter(range(100))
    history = downloads(ENDED)
    work = PruneHistory(
        history=history, older_than=timedelta(0), clock=lambda: float(next(seconds))
    )
    # When a turn has time for one page
    turns = [work(timedelta(seconds=2)) for _ in range(4)]
    # Then the next turns continue, until the last transfer alone is left
    assert [turn.transfers for turn in turns] == [100, 100, ENDED - 201, 0]
    assert history.position(HOUR) is None


def test_letters_are_pruned_with_the_rows() -> None:
    ages: list[timedelta] = []

    def letters(age: timedelta) -> int:
        ages.append(age)
        return 7

    work = PruneHistory(history=downloads(0), older_than=HOUR, prune_letters=letters)
    assert work() == PrunedRows(dead_letters=7)
    assert (work().total, ages) == (0, [HOUR])
