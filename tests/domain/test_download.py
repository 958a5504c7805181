"""A download: found, fetched, and there."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from artifact_pipeline.domain.errors import (
    ArtifactMissingError,
    StoreUnavailableError,
    TargetExistsError,
    TransferCancelledError,
)
from artifact_pipeline.domain.fakes import InMemoryReader, InMemoryTarget
from artifact_pipeline.domain.fakes.objects import InMemoryVerifier
from artifact_pipeline.domain.model.artifacts import Scheme
from artifact_pipeline.domain.model.found_artifacts import FoundBy
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from tests.domain.world import CONFIG, CONFIG_KEY, JOB, RESULTS, World

OLD = "jobs/12/2025/10/24/093000/job_config.json"


@pytest.fixture
def world() -> World:
    world = World()
    world.workspace.contents = {CONFIG: b"the job's config", RESULTS: b"results"}
    world.upload()
    return world


def latest(world: World) -> Transfer:
    return world.latest(CONFIG, Direction.DOWNLOAD)


class TestByATask:
    def test_the_file_is_there_and_the_transfer_is_done(self, world: World) -> None:
        summary = world.download(CONFIG, "d")
        assert (summary.state, summary.size) == (TransferState.DONE, 16)
        assert world.targets[CONFIG].content == b"the job's config"
        assert (latest(world).state, latest(world).bytes_sent) == (TransferState.DONE, 16)

    def test_the_same_file_that_is_there_is_not_fetched_again(self, world: World) -> None:
        world.download(CONFIG, "d")
        world.reader.reads.clear()
        assert world.download(CONFIG, "e").state is TransferState.DONE
        assert (world.reader.reads, latest(world).bytes_sent) == ([], 0)

    def test_another_file_that_is_there_is_kept(self, world: World) -> None:
        world.targets[CONFIG] = InMemoryTarget(b"not uploaded yet")
        with pytest.raises(TargetExistsError, match="job_config of job 12: a file with other"):
            world.download(CONFIG, "d")
        assert world.targets[CONFIG].content == b"not uploaded yet"
        assert latest(world).reason_code is ReasonCode.TARGET_EXISTS

    def test_one_of_which_s3_tells_only_the_size_is_not_taken_for_the_same(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unsure = InMemoryVerifier("", is_sure=False)
        monkeypatch.setattr(InMemoryReader, "verifier", lambda *_: unsure)
        world.targets[CONFIG] = InMemoryTarget(b"16 bytes as well")
        with pytest.raises(TargetExistsError):
            world.download(CONFIG, "d")

    def test_an_interrupted_one_goes_on(self, world: World) -> None:
        world.reader.failures = [StoreUnavailableError()]
        with pytest.raises(StoreUnavailableError):
            world.download(CONFIG, "d")
        assert world.targets[CONFIG].content is None
        world.clock.advance(timedelta(hours=1))
        assert world.download(CONFIG, "d").state is TransferState.DONE

    def test_nothing_to_be_had(self, world: World) -> None:
        with pytest.raises(ArtifactMissingError):
            world.download(RESULTS, "d")
        ended = world.latest(RESULTS, Direction.DOWNLOAD)
        assert (ended.state, ended.reason_code) == (
            TransferState.QUARANTINED,
            ReasonCode.ARTIFACT_MISSING,
        )

    def test_a_cancelled_one_leaves_nothing(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cancelled(*_: object, **__: object) -> None:
            raise TransferCancelledError

        target = world.targets[CONFIG] = InMemoryTarget()
        world.reader.failures = [StoreUnavailableError()]
        with pytest.raises(StoreUnavailableError):
            world.download(CONFIG, "d")
        world.clock.advance(timedelta(hours=1))
        monkeypatch.setattr(
            "artifact_pipeline.domain.transfers.lease.LeaseKeeper.checkpoint", cancelled
        )
        assert world.download(CONFIG, "d").state is TransferState.CANCELLED
        assert (target.content, target.fetched) == (None, None)

    def test_all_of_a_job_is_asked_for(self, world: World) -> None:
        world.upload(RESULTS)
        assert world.request_downloads(12) == 2
        assert [transfer.artifact for transfer in world.published] == [CONFIG, RESULTS]
        assert {transfer.direction for transfer in world.published} == {Direction.DOWNLOAD}

    def test_what_is_of_a_run_that_sql_does_not_have_is_not_asked_for(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        # Given objects of a run that was deleted, and of one that is another job's
        for run_id in (99, 7):
            world.put(f"jobs/12/2025/10/23/211500/run_{run_id}_logs.log", b"logs")
        # When
        assert world.request_downloads(12) == 1
        # Then the rest is asked for, and the log names what is not
        assert [transfer.artifact for transfer in world.published] == [CONFIG]
        assert [record.getMessage() for record in caplog.records] == [
            f"run_logs of job 12 run {run_id}: not requested, for the job has no such run"
            for run_id in (7, 99)
        ]


class TestFromTheFirstPlaceThatHasIt:
    def test_what_the_row_says_is_gone(self, world: World) -> None:
        del world.store.objects[CONFIG_KEY]
        world.put(OLD, b"old", JOB.created_at + timedelta(days=1))
        target = InMemoryTarget()
        downloaded = world.fetch(CONFIG, target, replace=False, checkpoint=lambda: None)
        assert (downloaded.found.found_by, downloaded.found.scheme) == (
            FoundBy.LISTING,
            Scheme.LEGACY,
        )
        assert target.content == b"old"

    def test_what_was_fetched_is_used_although_the_row_has_another_version(
        self, world: World
    ) -> None:
        # Given a store that answers a write with another version than later looks
        row = world.artifacts.rows[CONFIG]
        world.artifacts.write(replace(row, object=replace(row.object, version="of the write")))
        # And an attempt that was killed after the first of two ranges
        target, content = InMemoryTarget(), b"the job's config"
        there = world.reader.find(ObjectAddress(world.reader.bucket, CONFIG_KEY))
        assert there is not None
        with target.partial(there, 8) as partial:
            partial.write(0, content[:8])
            partial.mark(0, sha256(content[:8]).digest())
        # When
        downloaded = world.fetch(CONFIG, target, replace=False, checkpoint=lambda: None)
        # Then
        assert (target.content, downloaded.bytes_fetched) == (content, 8)
        assert [(read.start, read.stop) for read in world.reader.reads] == [(8, 16)]

    def test_a_file_gives_way_where_it_is_told_to(self, world: World) -> None:
        target = InMemoryTarget(b"another")
        world.fetch(CONFIG, target, replace=True, checkpoint=lambda: None)
        assert target.content == b"the job's config"
