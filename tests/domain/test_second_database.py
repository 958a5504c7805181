"""Two databases that have a job of one id in one bucket; the other's job was created later."""

from dataclasses import replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.catalog.delete_old_copies import DeleteOldCopies
from artifact_pipeline.domain.catalog.inventory import list_artifacts
from artifact_pipeline.domain.errors import ArtifactMissingError
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.platform.archiving import archive_job_uploads
from artifact_pipeline.domain.platform.use_cases import get_job_uploads, get_run_results
from tests.domain.producing import ProducingWorld
from tests.domain.world import CONFIG, CONFIG_KEY, JOB, RESULTS

INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)
OTHER = Job(12, JOB.created_at + timedelta(days=2))
DIRECTORY = "jobs/12/2025/10/25/211500"
THEIR_CONFIG = f"{DIRECTORY}/job_config.json"
THEIR_INPUT = f"{DIRECTORY}/job_input.zip"
THEIR_RESULTS = f"{DIRECTORY}/run_4_results.zip"
OLD_LOGS = "jobs/12/2025/10/24/093000/run_4_logs.log"
THEIRS = {THEIR_CONFIG, THEIR_INPUT, THEIR_RESULTS}


@pytest.fixture
def world() -> ProducingWorld:
    """Their workers have stored a config and results, and their client has put the input."""
    theirs = ProducingWorld()
    theirs.jobs.rows[12] = OTHER
    theirs.workspace.contents = {CONFIG: b"config", RESULTS: b"their results"}
    theirs.upload(CONFIG, "a")
    theirs.upload(RESULTS, "b")
    ours = ProducingWorld()
    ours.store.objects.update(theirs.store.objects)
    ours.store.metadata.update(theirs.store.metadata)
    ours.put(THEIR_INPUT, b"by their client")
    return ours


def shown(world: ProducingWorld) -> dict[str, tuple[str, str]]:
    listed = list_artifacts(world.locate, world.transfers, 12)
    return {
        each.found.object.address.key: (each.artifact.kind.value, each.state.value)
        for each in listed
        if each.found
    }


def deleted(world: ProducingWorld, *, is_only_database: bool = False) -> dict[str, str | None]:
    delete = DeleteOldCopies(
        locate=world.locate, copier=world.copier, is_only_database=is_only_database
    )
    planned = world.planned(12)
    list(world.relocate_here(planned))
    return {copy.object.address.key: copy.kept_for for copy in delete(12, planned)}


def archived(world: ProducingWorld) -> list[str]:
    summary = archive_job_uploads(
        world.locate, world.locations, world.artifacts, job_id=12, kinds=list(ArtifactKind)
    )
    return [found.object.address.key for found, _ in summary.archived]


class TestTheirDirectory:
    def test_it_is_listed_as_foreign(self, world: ProducingWorld) -> None:
        assert shown(world) == {
            THEIR_CONFIG: ("job_config", "foreign"),
            THEIR_INPUT: ("job_input", "foreign"),
            THEIR_RESULTS: ("run_results", "foreign"),
        }
        assert get_job_uploads(world.locate, job_id=12) == []

    @pytest.mark.parametrize("artifact", [CONFIG, INPUT, RESULTS], ids=str)
    def test_none_of_it_is_found_or_downloaded(
        self, world: ProducingWorld, artifact: Artifact
    ) -> None:
        assert list(world.locate.candidates(artifact)) == []
        with pytest.raises(ArtifactMissingError):
            world.download(artifact, "d")
        assert world.request_downloads(12) == 0

    def test_no_url_of_it_is_given(self, world: ProducingWorld) -> None:
        with pytest.raises(ArtifactMissingError):
            get_run_results(world.locate, world.results, job_id=12, run_id=4)

    def test_none_of_it_is_relocated_or_archived(self, world: ProducingWorld) -> None:
        assert world.planned(12) == []
        assert archived(world) == []

    @pytest.mark.parametrize("is_only_database", [False, True])
    def test_none_of_it_is_deleted(self, world: ProducingWorld, *, is_only_database: bool) -> None:
        # Given a config of ours with the same bytes
        world.workspace.contents[CONFIG] = b"config"
        world.upload(CONFIG, "c")
        # When / Then
        assert deleted(world, is_only_database=is_only_database) == dict.fromkeys(THEIRS, "foreign")
        assert set(world.store.objects) >= THEIRS

    def test_what_they_have_relocated_is_theirs(self, world: ProducingWorld) -> None:
        # Given an object that their job had in an old path
        world.store.objects.clear()
        world.store.metadata.clear()
        world.put("jobs/12/2025/10/26/000000/run_4_logs.log", b"logs")
        ours, world.jobs.rows[12] = world.jobs.rows[12], OTHER
        list(world.relocate_here(world.planned(12)))
        world.artifacts.rows.clear()
        world.jobs.rows[12] = ours
        # When / Then the copy is told from an old path
        assert shown(world)[f"{DIRECTORY}/run_4_logs.log"] == ("run_logs", "foreign")

    def test_our_own_old_paths_are_found_beside_it(self, world: ProducingWorld) -> None:
        world.put(OLD_LOGS, b"our logs", JOB.created_at + timedelta(days=1))
        (found,) = get_job_uploads(world.locate, job_id=12)
        assert found.object.address.key == OLD_LOGS
        assert world.locate.find(LOGS).object.address.key == OLD_LOGS


class TestOnlyTheirClientHasUploaded:
    """Without metadata a directory looks like an old path, and is kept in any case."""

    @pytest.fixture
    def world(self) -> ProducingWorld:
        world = ProducingWorld()
        world.put(THEIR_CONFIG, b"config")
        return world

    def test_it_is_found_as_an_old_path_would_be(self, world: ProducingWorld) -> None:
        assert shown(world) == {THEIR_CONFIG: ("job_config", "unrecorded")}

    def test_it_is_never_deleted(self, world: ProducingWorld) -> None:
        assert deleted(world) == {THEIR_CONFIG: "uncertain"}
        assert deleted(world) == {THEIR_CONFIG: "uncertain"}
        assert world.store.objects[THEIR_CONFIG] == b"config"

    def test_unless_there_is_no_other_database(self, world: ProducingWorld) -> None:
        assert deleted(world, is_only_database=True) == {THEIR_CONFIG: None}

    @pytest.mark.parametrize("at_once", [True, False])
    def test_an_old_copy_that_the_platforms_row_named_is_deleted(
        self, world: ProducingWorld, *, at_once: bool
    ) -> None:
        # Given an old path of ours, and that it was relocated now or before
        url = f"https://bucket.s3.invalid/{THEIR_CONFIG}"
        world.jobs.rows[12] = replace(world.jobs.rows[12], config_location=url)
        if not at_once:
            list(world.relocate_here(world.planned(12)))
            world.jobs.rows[12] = replace(world.jobs.rows[12], config_location=None)
        # When / Then
        assert deleted(world) == {THEIR_CONFIG: None}
        assert set(world.store.objects) == {CONFIG_KEY}


class TestCosts:
    def heads(self, world: ProducingWorld, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The keys that HEADs ask for from now on."""
        asked: list[str] = []
        find = InMemoryReader.find

        def note(reader: InMemoryReader, address: ObjectAddress) -> BucketObject | None:
            asked.append(address.key)
            return find(reader, address)

        monkeypatch.setattr(InMemoryReader, "find", note)
        listed = list(world.reader.list("jobs/12/"))
        asked.clear()
        monkeypatch.setattr(InMemoryReader, "list", lambda _reader, _prefix: iter(listed))
        return asked

    def test_one_look_tells_of_a_whole_directory(
        self, world: ProducingWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = self.heads(world, monkeypatch)
        get_job_uploads(world.locate, job_id=12)
        assert len(asked) == 1

    def test_an_old_path_costs_one_look(
        self, world: ProducingWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.store.objects.clear()
        world.put(OLD_LOGS, b"our logs")
        world.put("jobs/12/2025/10/24/093000/notes.txt", b"none of ours")
        asked = self.heads(world, monkeypatch)
        get_job_uploads(world.locate, job_id=12)
        assert asked == [OLD_LOGS]

    def test_what_the_platforms_row_names_costs_none(
        self, world: ProducingWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.store.objects.clear()
        key = "jobs/12/2025/10/24/093000/job_config.json"
        world.put(key, b"old config")
        url = f"https://bucket.s3.invalid/{key}"
        world.jobs.rows[12] = replace(world.jobs.rows[12], config_location=url)
        asked = self.heads(world, monkeypatch)
        assert len(get_job_uploads(world.locate, job_id=12)) == 1
        assert asked == []


def test_an_archived_old_path_is_still_the_jobs() -> None:
    # Given an old path that is archived in its place
    world = ProducingWorld()
    world.put(OLD_LOGS, b"our logs")
    assert archived(world) == [OLD_LOGS]
    # When / Then
    assert shown(world) == {OLD_LOGS: ("run_logs", "unrecorded")}
