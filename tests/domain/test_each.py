"""Many things are done although one of them fails."""

import errno
import logging
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from artifact_pipeline.domain.catalog.delete_old_copies import DeleteOldCopies
from artifact_pipeline.domain.catalog.inventory import ArtifactState, list_artifacts
from artifact_pipeline.domain.each import for_each, until_unavailable, up_to_failure
from artifact_pipeline.domain.errors import (
    PipelineError,
    RefusedByStoreError,
    SqlUnavailableError,
    StoreUnavailableError,
    UnexpectedError,
)
from artifact_pipeline.domain.fakes import InMemoryArtifacts
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.platform.archiving import archive_job_uploads
from artifact_pipeline.domain.platform.use_cases import get_job_results, get_job_uploads
from tests.domain.producing import ProducingWorld
from tests.domain.world import CONFIG, JOB, RESULTS

INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
ELSEWHERE = ObjectAddress("attic", "config.json")
LATER = "jobs/12/2025/11/02/093000"
REFUSED = RefusedByStoreError("HeadObject: 400")


def test_what_fails_with_one_is_beside_it() -> None:
    # Given
    def do(number: int) -> int:
        if number == 2:
            raise REFUSED
        if number == 3:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), "results.zip")
        return number * 10

    # When
    outcomes = dict(for_each(do, [1, 2, 3, 4]))
    # Then
    assert (outcomes[1], outcomes[2], outcomes[4]) == (10, REFUSED, 40)
    assert isinstance(outcomes[3], UnexpectedError)
    assert str(outcomes[3]) == "results.zip: File too large"


def test_a_programming_error_is_no_outcome() -> None:
    with pytest.raises(ZeroDivisionError):
        list(for_each(lambda number: 1 // number, [0]))


@pytest.mark.parametrize("error", [REFUSED, OSError(errno.EIO, os.strerror(errno.EIO))])
def test_what_was_made_before_a_failure_stays(error: Exception) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise error

    made, failure = up_to_failure(items())
    assert made == [1]
    assert isinstance(failure, PipelineError)


def test_after_five_in_a_row_s3_counts_as_away() -> None:
    # Given
    away, asked = StoreUnavailableError("SlowDown"), []

    def do(number: int) -> None:
        asked.append(number)
        if number != 3:
            raise away

    # When
    made, failure = up_to_failure(until_unavailable(for_each(do, range(100))))
    # Then
    assert asked == list(range(9))
    assert (len(made), failure) == (9, away)


@pytest.fixture
def world() -> ProducingWorld:
    """Job 12: S3 refuses a look at its config; there are an old input, and results."""
    world = ProducingWorld()
    url = f"https://{ELSEWHERE.bucket}.s3.invalid/{ELSEWHERE.key}"
    world.jobs.rows[12] = replace(JOB, config_location=url)
    world.reader.refused[ELSEWHERE] = REFUSED
    world.put("jobs/12/2025/10/23/220000/job_input.zip", b"input")
    world.workspace.contents[RESULTS] = b"results"
    world.upload(RESULTS)
    return world


class TestALocationThatCannotBeLookedAt:
    def test_the_list_has_it_with_the_reason(self, world: ProducingWorld) -> None:
        listed = {each.artifact: each for each in list_artifacts(world.locate, world.transfers, 12)}
        assert listed[CONFIG].state is ArtifactState.UNREADABLE
        assert listed[CONFIG].reason == "refused_by_s3"
        look = listed[CONFIG].unreadable
        assert look is not None
        assert (look.error, look.address) == (REFUSED, ELSEWHERE)
        assert {listed[INPUT].state, listed[RESULTS].state} == {"unrecorded", "stored"}

    def test_calls_leave_it_out_and_warn(
        self, world: ProducingWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            uploads = get_job_uploads(world.locate, job_id=12)
            assert {found.artifact for found in uploads} == {INPUT, RESULTS}
            assert list(get_job_results(world.locate, world.results, job_id=12)) == [4]
        assert caplog.messages == [f"{CONFIG}: left out: {REFUSED}"] * 2

    def test_tasks_ask_for_it_so_that_its_transfer_says_why(self, world: ProducingWorld) -> None:
        assert world.request_downloads(12) == 3
        assert world.request_relocations(12) == 2
        for direction in (Direction.DOWNLOAD, Direction.RELOCATE):
            assert world.latest(CONFIG, direction).state == "requested"
        with pytest.raises(RefusedByStoreError):
            world.relocate(CONFIG, "a")
        assert world.latest(CONFIG, Direction.RELOCATE).reason_code == "refused_by_s3"

    def test_an_archive_names_it(self, world: ProducingWorld) -> None:
        summary = archive_job_uploads(world.locate, world.locations, world.artifacts, job_id=12)
        assert [found.artifact for found, _ in summary.archived] == [INPUT]
        assert [look.artifact for look in summary.unreadable] == [CONFIG]


class TestAnObjectInADirectoryWithALaterTime:
    """Whose it is, the metadata of the objects in it tell."""

    def test_one_that_refuses_hides_no_other(self, world: ProducingWorld) -> None:
        refusing = world.put(f"{LATER}/run_4_config.json", b"{}")
        world.reader.refused[refusing] = REFUSED
        world.put(f"{LATER}/run_4_logs.log", b"logs")
        found = {each.artifact.kind for each in world.locate.contents(12).found}
        assert {ArtifactKind.RUN_CONFIG, ArtifactKind.RUN_LOGS} <= found

    def test_while_s3_is_away_for_it_nobody_knows(self, world: ProducingWorld) -> None:
        refusing = world.put(f"{LATER}/run_4_logs.log", b"logs")
        world.reader.refused[refusing] = StoreUnavailableError()
        contents = world.locate.contents(12)
        assert {each.artifact for each in contents.found} == {INPUT, RESULTS}
        assert {each.artifact.kind for each in contents.unreadable} == {"job_config", "run_logs"}
        assert contents.foreign == []


def test_an_expected_upload_that_cannot_be_looked_at_stops_no_other(world: ProducingWorld) -> None:
    # Given URLs for both, and nothing expected any more
    url = "https://bucket.s3.invalid/k"
    world.jobs.rows[12] = replace(JOB, config_location=url, input_location=url)
    own = ObjectAddress(world.reader.bucket, "jobs/12/2025/10/23/211500/job_config.json")
    world.reader.refused[own] = REFUSED
    # When, Then
    assert world.request_confirmations(12, None) == 2


def test_an_old_copy_that_cannot_be_looked_at_is_kept_with_the_reason(
    world: ProducingWorld,
) -> None:
    # Given two that were relocated
    planned = world.planned(12)
    assert [found.artifact for found in planned] == [INPUT]
    list(world.relocate_here(planned))
    outside = replace(planned[0], object=replace(planned[0].object, address=ELSEWHERE))
    # When
    delete = DeleteOldCopies(locate=world.locate, copier=world.copier)
    copies = {copy.object.address: copy for copy in delete(12, [*planned, outside])}
    # Then
    assert copies[planned[0].object.address].kept_for != copies[ELSEWHERE].kept_for
    assert copies[ELSEWHERE].failure is REFUSED


class _RefusesOneRow(InMemoryArtifacts):
    def replace(self, stored: StoredArtifact, known: StoredArtifact | None) -> bool:
        if stored.artifact == RESULTS:
            raise SqlUnavailableError("disk I/O error")
        return super().replace(stored, known)


def test_a_row_that_cannot_be_written_stops_no_other(world: ProducingWorld) -> None:
    # Given
    run_config = Artifact(ArtifactKind.RUN_CONFIG, 12, 4)
    world.workspace.contents[run_config] = b"{}"
    world.upload(run_config, "c")
    artifacts = _RefusesOneRow(world.jobs, world.clock)
    artifacts.rows.update(world.artifacts.rows)
    # When
    summary = archive_job_uploads(
        world.locate, world.locations, artifacts, job_id=12, kinds=tuple(ArtifactKind)
    )
    # Then
    assert [found.artifact for found, _ in summary.failed] == [RESULTS]
    assert artifacts.rows[run_config].object.tier_name == "GLACIER"
