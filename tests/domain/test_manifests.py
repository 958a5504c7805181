"""The manifest of a job's directory: what is in it, when it is written, and what it replaces."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from artifact_pipeline.domain.catalog.verdicts import Verdict
from artifact_pipeline.domain.catalog.verify import VerifyJob
from artifact_pipeline.domain.errors import AccessDeniedError, ObjectReplacedError
from artifact_pipeline.domain.fakes import InMemoryManifests
from artifact_pipeline.domain.maintenance.manifests import PAUSE, RequestManifests, WriteManifest
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.manifest import ManifestEntry
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.ports.manifests import NotYet
from tests.domain.world import CONFIG, JOB, RESULTS, World

DIRECTORY = "jobs/12/2025/10/23/211500/"
KEY = f"{DIRECTORY}manifest.json"
INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)


class WatchedManifests(InMemoryManifests):
    """Lets something happen after the records were read."""

    after_look: Callable[[], object] = staticmethod(lambda: None)

    def entries(self, job_id: int) -> Sequence[ManifestEntry]:
        found = InMemoryManifests.entries(self, job_id)
        happens, self.after_look = self.after_look, lambda: None
        happens()
        return found


@dataclass
class Deployment:
    """A worker and a dispatch over the world."""

    world: World = field(default_factory=World)
    messages: list[int] = field(default_factory=list)
    has_room: bool = True

    def __post_init__(self) -> None:
        self.world.workspace.contents = {CONFIG: b"config", RESULTS: b"results", INPUT: b"input"}
        self.manifests = WatchedManifests(self.world.artifacts, self.world.transfers)

    def upload(self, artifact: Artifact) -> None:
        self.world.upload(artifact)

    def write(self, job_id: int = 12) -> bool:
        write = WriteManifest(
            manifests=self.manifests,
            jobs=self.world.jobs,
            store=self.world.store,
            written_by="artifact-pipeline 0.1.0",
        )
        return write(job_id)

    def dispatch(self) -> int:
        request = RequestManifests(
            manifests=self.manifests,
            publish=self.messages.extend,
            has_room=lambda: self.has_room,
            ask_again_after=timedelta(minutes=5),
        )
        return request()

    def after(self, seconds: float) -> None:
        self.world.clock.advance(timedelta(seconds=seconds))

    @property
    def manifest(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.world.store.objects[KEY])
        return content

    @property
    def names(self) -> list[str]:
        return [each["name"] for each in self.manifest["artifacts"]]


@pytest.fixture
def deployed() -> Deployment:
    return Deployment()


def test_it_says_what_the_directory_has(deployed: Deployment) -> None:
    # Given
    deployed.world.transfers.request(CONFIG, Direction.UPLOAD, "a")
    deployed.after(2)
    deployed.upload(CONFIG)
    # When
    assert deployed.write()
    # Then
    config = deployed.world.artifacts.rows[CONFIG].object
    assert deployed.manifest == {
        "schema_version": 1,
        "written_by": "artifact-pipeline 0.1.0",
        "job_id": 12,
        "job_created_at": "2025-10-23T21:15:00Z",
        "directory": DIRECTORY,
        "artifacts": [
            {
                "kind": "job_config",
                "run_id": None,
                "name": "job_config.json",
                "size": 6,
                "sha256": hashlib.sha256(b"config").hexdigest(),
                "checksum": hashlib.sha256(b"config").hexdigest(),
                "content_type": "application/json",
                "version": config.version,
                "version_id": None,
                "requested_at": "2025-10-23T21:15:00Z",
                "stored_at": "2025-10-23T21:15:02Z",
                "links_left_out": 0,
            }
        ],
    }
    assert deployed.world.store.content_types[KEY] == "application/json"
    assert deployed.world.store.metadata[KEY] == {"job": "12", "kind": "manifest"}


def test_an_artifact_elsewhere_is_named_by_its_key(deployed: Deployment) -> None:
    deployed.upload(CONFIG)
    row = deployed.world.artifacts.rows[CONFIG]
    old = replace(row.object, key="jobs/12/job_config.json")
    deployed.world.artifacts.rows[CONFIG] = replace(row, object=old, scheme=Scheme.LEGACY)
    deployed.write()
    (entry,) = deployed.manifest["artifacts"]
    assert entry["key"] == "jobs/12/job_config.json"
    assert "name" not in entry


def test_the_uploads_of_a_while_share_one_message_and_one_write(deployed: Deployment) -> None:
    # Given uploads within a few seconds
    deployed.upload(CONFIG)
    deployed.after(5)
    deployed.upload(RESULTS)
    # When the dispatch runs
    assert deployed.dispatch() == 0
    deployed.after(PAUSE.total_seconds())
    assert deployed.dispatch() == 1
    assert deployed.dispatch() == 0
    # And the message arrives twice
    assert [deployed.write(), deployed.write()] == [True, False]
    # Then
    assert deployed.messages == [12]
    assert deployed.world.store.puts[KEY] == 1
    assert deployed.names == ["job_config.json", "run_4_results.zip"]
    deployed.after(3600)
    assert deployed.dispatch() == 0


def test_a_later_upload_is_in_the_next_one(deployed: Deployment) -> None:
    deployed.upload(CONFIG)
    deployed.write()
    deployed.after(1)
    deployed.upload(RESULTS)
    assert not deployed.write()
    deployed.after(PAUSE.total_seconds())
    assert deployed.dispatch() == 1
    assert deployed.write()
    assert deployed.names == ["job_config.json", "run_4_results.zip"]


def test_a_lost_message_is_sent_again(deployed: Deployment) -> None:
    deployed.upload(CONFIG)
    deployed.after(PAUSE.total_seconds())
    assert deployed.dispatch() == 1
    deployed.after(300)
    assert deployed.dispatch() == 1


def test_a_full_queue_gets_no_messages(deployed: Deployment) -> None:
    deployed.upload(CONFIG)
    deployed.after(PAUSE.total_seconds())
    deployed.has_room = False
    assert deployed.dispatch() == 0


def test_a_slow_worker_does_not_replace_a_newer_manifest(deployed: Deployment) -> None:
    # Given a worker that stands still after it has read what is recorded
    deployed.upload(CONFIG)

    def another_worker() -> None:
        deployed.after(2 * PAUSE.total_seconds())
        deployed.upload(RESULTS)
        assert deployed.write()

    deployed.manifests.after_look = another_worker
    # When it goes on
    assert deployed.write()
    # Then it has read the records again
    assert deployed.names == ["job_config.json", "run_4_results.zip"]


def test_a_manifest_that_sql_does_not_know_is_replaced(deployed: Deployment) -> None:
    # Given what a worker wrote that was killed before it noted it
    deployed.world.store.objects[KEY] = b"{}"
    deployed.upload(CONFIG)
    # When
    assert deployed.write()
    # Then
    assert deployed.names == ["job_config.json"]


def test_a_manifest_that_is_gone_is_written_again(deployed: Deployment) -> None:
    deployed.upload(CONFIG)
    deployed.write()
    del deployed.world.store.objects[KEY]
    deployed.after(PAUSE.total_seconds())
    assert deployed.write()
    assert deployed.names == ["job_config.json"]


def test_a_store_that_refuses_is_left_alone_for_a_while(deployed: Deployment) -> None:
    deployed.upload(CONFIG)
    deployed.world.store.failures.append(AccessDeniedError("PutObject"))
    with pytest.raises(AccessDeniedError):
        deployed.write()
    deployed.after(PAUSE.total_seconds())
    assert deployed.dispatch() == 0
    deployed.after(600)
    assert deployed.dispatch() == 1
    assert deployed.write()


def test_one_that_others_replace_all_the_time_is_given_up(deployed: Deployment) -> None:
    deployed.upload(CONFIG)
    deployed.world.store.failures.extend([ObjectReplacedError()] * 3)
    with pytest.raises(ObjectReplacedError, match="manifest of job 12"):
        deployed.write()


@pytest.mark.parametrize("change", ["deleted", "its id used again"])
def test_artifacts_of_no_job_are_in_no_manifest(deployed: Deployment, change: str) -> None:
    # Given artifacts of a job that is gone
    deployed.upload(CONFIG)
    if change == "deleted":
        del deployed.world.jobs.rows[12]
    else:
        deployed.world.jobs.rows[12] = Job(12, JOB.created_at + timedelta(days=1))
    # When
    assert not deployed.write()
    # Then nothing is written, and nothing is due
    assert not deployed.world.store.puts[KEY]
    deployed.after(3600)
    assert deployed.dispatch() == 0
    assert not isinstance(deployed.manifests.begin(12, PAUSE), NotYet)


def test_the_manifest_is_no_artifact_and_no_foreign_object(deployed: Deployment) -> None:
    # Given
    deployed.upload(CONFIG)
    deployed.write()
    # And one of an earlier creation time
    deployed.world.store.objects["jobs/12/2024/01/01/000000/manifest.json"] = b"{}"
    # When
    world = deployed.world
    verify = VerifyJob(locate=world.locate, transfers=world.transfers, reads=world.reader.read)
    verified = verify(12)
    # Then
    assert [(each.artifact, each.verdict) for each in verified] == [(CONFIG, Verdict.OK)]
    contents = world.locate.contents(12)
    assert [each.artifact for each in contents.found] == [CONFIG]
    assert contents.foreign == []


@pytest.mark.parametrize("key", ["jobs/12/manifest.json", f"{DIRECTORY}old/manifest.json"])
def test_a_file_of_that_name_elsewhere_is_foreign(deployed: Deployment, key: str) -> None:
    deployed.world.store.objects[key] = b"{}"
    world = deployed.world
    verify = VerifyJob(locate=world.locate, transfers=world.transfers, reads=world.reader.read)
    assert [(each.address.key, each.verdict) for each in verify(12)] == [(key, Verdict.FOREIGN)]
