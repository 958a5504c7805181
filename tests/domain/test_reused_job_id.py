"""A job whose id another job had before: it is never served the old job's artifacts."""

from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from artifact_pipeline.domain.catalog.delete_old_copies import DeleteOldCopies
from artifact_pipeline.domain.catalog.inventory import ArtifactState, list_artifacts
from artifact_pipeline.domain.errors import (
    ArtifactMissingError,
    JobReplacedError,
    SourceMissingError,
)
from artifact_pipeline.domain.fakes import InMemoryCopier, InMemoryStore
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme
from artifact_pipeline.domain.model.found_artifacts import FoundBy
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.platform.use_cases import get_job_uploads, get_run_results
from artifact_pipeline.domain.reasons import ReasonCode
from tests.domain.producing import ProducingWorld
from tests.domain.world import CONFIG, CONFIG_KEY, JOB, RESULTS

LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)
OLD_RULE = "jobs/12/2025/10/24/093000/run_4_logs.log"
RESULTS_KEY = "jobs/12/2025/10/23/211500/run_4_results.zip"
NEW = Job(12, JOB.created_at + timedelta(days=2))
NEW_DIRECTORY = "jobs/12/2025/10/25/211500"
NEW_KEY = f"{NEW_DIRECTORY}/job_config.json"


@pytest.fixture
def world() -> ProducingWorld:
    """The old job is stored, by this rule and by an old one; then its id is used again."""
    world = ProducingWorld()
    world.workspace.contents = {CONFIG: b"old config", RESULTS: b"old results"}
    world.upload(CONFIG, "a")
    world.upload(RESULTS, "b")
    world.put(OLD_RULE, b"old logs", JOB.created_at + timedelta(days=1))
    world.jobs.rows[12] = NEW
    world.workspace.contents.clear()
    world.clock.moment = NEW.created_at
    return world


def shown(world: ProducingWorld) -> list[tuple[str, str, str | None]]:
    return [
        (each.artifact.kind, each.state, each.found.object.address.key if each.found else None)
        for each in list_artifacts(world.locate, world.transfers, 12)
    ]


FOREIGN = [
    ("job_config", "foreign", CONFIG_KEY),
    ("run_logs", "foreign", OLD_RULE),
    ("run_results", "foreign", RESULTS_KEY),
]


class TestNothingIsServed:
    def test_none_of_it_is_listed_as_the_jobs(self, world: ProducingWorld) -> None:
        assert get_job_uploads(world.locate, job_id=12) == []

    def test_the_list_shows_it_as_foreign(self, world: ProducingWorld) -> None:
        assert shown(world) == FOREIGN
        listed = {each.artifact: each for each in list_artifacts(world.locate, world.transfers, 12)}
        of_row, of_listing = listed[CONFIG].found, listed[LOGS].found
        assert of_row is not None
        assert of_listing is not None
        assert (of_row.found_by, of_row.scheme) == (FoundBy.ROW, Scheme.PREFIX)
        assert (of_listing.found_by, of_listing.scheme) == (FoundBy.LISTING, Scheme.LEGACY)

    @pytest.mark.parametrize("artifact", [CONFIG, RESULTS, LOGS], ids=str)
    def test_none_of_it_is_found(self, world: ProducingWorld, artifact: Artifact) -> None:
        assert list(world.locate.candidates(artifact)) == []
        with pytest.raises(ArtifactMissingError):
            world.locate.find(artifact)

    @pytest.mark.parametrize("artifact", [CONFIG, RESULTS, LOGS], ids=str)
    def test_none_of_it_is_downloaded(self, world: ProducingWorld, artifact: Artifact) -> None:
        with pytest.raises(ArtifactMissingError):
            world.download(artifact, "d")
        assert world.targets[artifact].content is None
        assert world.request_downloads(12) == 0

    def test_no_url_of_it_is_given(self, world: ProducingWorld) -> None:
        with pytest.raises(ArtifactMissingError):
            get_run_results(world.locate, world.results, job_id=12, run_id=4)

    def test_nor_where_the_platforms_row_still_names_it(self, world: ProducingWorld) -> None:
        # Given a run that still has the URL of the old job's results
        url = f"https://bucket.s3.invalid/{RESULTS_KEY}"
        world.runs.rows[4] = replace(world.runs.rows[4], results_url=url)
        with pytest.raises(ArtifactMissingError):
            get_run_results(world.locate, world.results, job_id=12, run_id=4)
        assert get_job_uploads(world.locate, job_id=12) == []

    def test_nor_where_that_is_a_copy_in_another_bucket(self, world: ProducingWorld) -> None:
        world.reader.elsewhere[ObjectAddress("attic", RESULTS_KEY)] = b"old results"
        url = f"https://attic.s3.invalid/{RESULTS_KEY}"
        world.runs.rows[4] = replace(world.runs.rows[4], results_url=url)
        assert list(world.locate.candidates(RESULTS)) == []

    def test_none_of_it_is_relocated_or_deleted(self, world: ProducingWorld) -> None:
        # Given the same bytes in both jobs
        world.workspace.contents[CONFIG] = b"old config"
        world.upload(CONFIG, "c")
        # When
        assert world.planned(12) == []
        copies = DeleteOldCopies(locate=world.locate, copier=world.copier)(12)
        # Then the old job's config is there, and the new one's is no copy of it
        assert {copy.kept_for for copy in copies} == {"foreign"}
        assert {CONFIG_KEY, RESULTS_KEY, OLD_RULE} <= set(world.store.objects)


class TestTheNewJobsOwn:
    def test_an_upload_replaces_the_row(self, world: ProducingWorld) -> None:
        world.workspace.contents[CONFIG] = b"new config"
        assert world.upload(CONFIG, "c").state is TransferState.DONE
        assert world.artifacts.rows[CONFIG].object.key == NEW_KEY
        assert world.store.objects[CONFIG_KEY] == b"old config"
        world.download(CONFIG, "d")
        assert world.targets[CONFIG].content == b"new config"
        assert shown(world) == [("job_config", "stored", NEW_KEY), *FOREIGN]

    def test_the_same_bytes_are_stored_under_its_own_key(self, world: ProducingWorld) -> None:
        world.workspace.contents[CONFIG] = b"old config"
        world.upload(CONFIG, "c")
        assert world.store.objects[NEW_KEY] == b"old config"
        assert world.artifacts.rows[CONFIG].object.key == NEW_KEY

    def test_what_is_at_its_own_key_is_found_before_there_is_a_row(
        self, world: ProducingWorld
    ) -> None:
        key = f"{NEW_DIRECTORY}/run_4_results.zip"
        world.put(key, b"new results")
        location = get_run_results(world.locate, world.results, job_id=12, run_id=4)
        assert urlsplit(location.url).path == f"/{key}"
        (found,) = get_job_uploads(world.locate, job_id=12)
        assert (found.found_by, found.object.address.key) == (FoundBy.KEY, key)

    def test_its_own_old_paths_are_found_behind_newer_ones_of_the_other(
        self, world: ProducingWorld
    ) -> None:
        # Given an object of each job, and the old one's was put there later
        own = "jobs/12/2025/10/26/120000/run_4_logs.log"
        world.put(own, b"new logs", NEW.created_at + timedelta(days=1))
        world.put(OLD_RULE, b"old logs", NEW.created_at + timedelta(days=2))
        (found,) = get_job_uploads(world.locate, job_id=12)
        assert found.object.address.key == own
        assert world.locate.find(LOGS).object.address.key == own

    def test_an_upload_url_is_confirmed_for_its_own_key(self, world: ProducingWorld) -> None:
        world.controller.submit_job_config(12)
        world.put(NEW_KEY, b"by a client")
        (asked,) = world.controller.confirm_upload(12)
        assert world.confirm(CONFIG, asked.request_id).state is TransferState.DONE
        assert world.artifacts.rows[CONFIG].object.key == NEW_KEY

    def test_an_upload_that_fails_does_not_ask_for_the_other_jobs(
        self, world: ProducingWorld
    ) -> None:
        # Given that somebody has removed what the old job had stored
        world.store.objects.clear()
        # When an upload of the new job fails for good
        with pytest.raises(SourceMissingError):
            world.upload(CONFIG, "c")
        # Then it is not taken for a row that a late write has replaced
        assert world.latest(CONFIG).state is TransferState.QUARANTINED


class TestATransferThatStillRuns:
    """While the job is deleted, and another gets its id."""

    @pytest.fixture
    def world(self) -> ProducingWorld:
        return ProducingWorld()

    def test_an_upload_is_given_up_with_the_reason(
        self, world: ProducingWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a job whose id is used again while its config is sent
        world.workspace.contents[CONFIG] = b"old config"
        put = InMemoryStore.put

        def put_and_replace(store: InMemoryStore, *args: object, **options: object) -> object:
            world.jobs.rows[12] = NEW
            return put(store, *args, **options)  # type: ignore[arg-type] # as they come

        monkeypatch.setattr(InMemoryStore, "put", put_and_replace)
        # When
        with pytest.raises(JobReplacedError):
            world.upload(CONFIG, "a")
        # Then the transfer says why, and nothing is recorded of the new job
        ended = world.latest(CONFIG)
        assert (ended.state, ended.reason_code) == (
            TransferState.QUARANTINED,
            ReasonCode.JOB_REPLACED,
        )
        assert (world.artifacts.rows, world.artifacts.locations) == ({}, {})
        assert list(world.store.objects) == [CONFIG_KEY]
        assert shown(world) == [FOREIGN[0]]

    def test_a_relocation_copies_nothing_to_the_new_jobs_directory(
        self, world: ProducingWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given an old copy of the job's, and that its id is used again once the copy has begun
        world.put("jobs/12/2025/10/24/093000/job_config.json", b"old config")
        (planned,) = world.planned(12)
        copy = InMemoryCopier.copy

        def copy_and_replace(copier: InMemoryCopier, *args: object, **options: object) -> object:
            world.jobs.rows[12] = NEW
            return copy(copier, *args, **options)  # type: ignore[arg-type] # as they come

        monkeypatch.setattr(InMemoryCopier, "copy", copy_and_replace)
        # When
        ((_, outcome),) = world.relocate_here([planned])
        # Then
        assert isinstance(outcome, JobReplacedError)
        assert NEW_KEY not in world.store.objects
        assert world.artifacts.rows == {}


class TestAnEarlierJobThatIsBack:
    """As when a database is restored from before its id was used again."""

    @pytest.fixture
    def world(self, world: ProducingWorld) -> ProducingWorld:
        world.workspace.contents[CONFIG] = b"new config"
        world.upload(CONFIG, "c")
        world.put(f"{NEW_DIRECTORY}/run_4_logs.log", b"new logs", NEW.created_at)
        world.jobs.rows[12] = JOB
        return world

    def test_what_a_row_says_is_the_later_jobs_is_not_taken_for_an_old_path(
        self, world: ProducingWorld
    ) -> None:
        found = {each.artifact: each.object for each in get_job_uploads(world.locate, job_id=12)}
        assert found[CONFIG].address.key == CONFIG_KEY
        assert found[LOGS].address.key == OLD_RULE
        assert world.locate.find(LOGS).object.address.key == OLD_RULE
        foreign = [row for row in shown(world) if row[1] == ArtifactState.FOREIGN]
        assert foreign == [
            ("job_config", "foreign", NEW_KEY),
            ("run_logs", "foreign", f"{NEW_DIRECTORY}/run_4_logs.log"),
        ]
