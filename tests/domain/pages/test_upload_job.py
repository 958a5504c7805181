"""The uploads of a whole job, for one message."""

import pytest

from artifact_pipeline.domain.errors import SqlUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.transfers.upload_job import JobUploads, UploadJob
from tests.domain.pages.steps import CONFIGS, COUNT, DONE, states
from tests.domain.paging import FakePages, Watched, page_runner
from tests.domain.world import World


class Clock:
    """Seconds that pass with each look."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._now = 0.0

    def __call__(self) -> float:
        self._now += self._step
        return self._now


def job_of(
    world: World, pages: FakePages, watch: Watched | None = None, step: float = 0.0
) -> UploadJob:
    return UploadJob(page=page_runner(world, pages, watch=watch).of_job, clock=Clock(step))


def test_all_that_is_due_is_done_page_after_page(world: World, pages: FakePages) -> None:
    # Given small uploads of a job, another that is not, and one of another job
    logs = Artifact(ArtifactKind.RUN_LOGS, 12, CONFIGS[0].run_id)
    other = Artifact(ArtifactKind.JOB_CONFIG, 13)
    for artifact in (logs, other):
        world.transfers.request(artifact, Direction.UPLOAD, str(artifact))
    watch = Watched()
    # When
    done = job_of(world, pages, watch)(12)
    # Then
    assert done == JobUploads(ended=COUNT, failed=0, is_over=True)
    assert states(world) == [DONE] * COUNT
    assert len(watch.ends) == COUNT
    assert [world.latest(each).state for each in (logs, other)] == [TransferState.REQUESTED] * 2


def test_what_fails_is_counted_and_ends_nothing(world: World, pages: FakePages) -> None:
    # Given a config without a file, and a cancelled one
    del world.workspace.contents[CONFIGS[3]]
    world.transfers.cancel(12, CONFIGS[5].run_id, None)
    # When
    done = job_of(world, pages)(12)
    # Then
    assert done == JobUploads(ended=COUNT - 2, failed=1, is_over=True)
    assert world.latest(CONFIGS[3]).state is TransferState.QUARANTINED
    assert world.latest(CONFIGS[5]).state is TransferState.CANCELLED


def test_a_turn_ends_in_time(world: World, pages: FakePages) -> None:
    # Given a clock on which a turn lasts one page
    job = job_of(world, pages, step=1.5)
    # When
    turns = [job(12)]
    while not turns[-1].is_over:
        turns.append(job(12))
    # Then what was left of each turn was done in the next ones
    assert len(turns) > 1
    assert sum(turn.ended for turn in turns) == COUNT
    assert states(world) == [DONE] * COUNT


def test_nothing_is_begun_while_uploads_wait_for_the_store(world: World, pages: FakePages) -> None:
    # Given a circuit breaker that has opened
    runner = page_runner(world, pages)
    alone = world.runner()
    while not alone.policy.is_waiting(Direction.UPLOAD):
        alone.policy.circuits[0].breaker.failed()
    runner._runner = lambda: alone
    # When
    done = UploadJob(page=runner.of_job)(12)
    # Then
    assert done == JobUploads(ended=0, failed=0, is_over=True)
    assert states(world) == [TransferState.REQUESTED] * COUNT


def test_an_unknown_job_has_nothing_to_do(world: World, pages: FakePages) -> None:
    assert job_of(world, pages)(999) == JobUploads(ended=0, failed=0, is_over=True)


def test_a_database_that_is_away_is_told(
    world: World, pages: FakePages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def claim_of_job(*_: object, **__: object) -> None:
        raise SqlUnavailableError("away")

    monkeypatch.setattr(pages, "claim_of_job", claim_of_job)
    with pytest.raises(SqlUnavailableError):
        job_of(world, pages)(12)
