"""An audit that repairs, while uploads go on at each of its looks."""

import random
from collections.abc import Iterator

import pytest

from artifact_pipeline.domain.catalog.audit import AuditStore
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.fakes.audit import InMemoryAuditedRecords
from artifact_pipeline.domain.fakes.storage import stored_object
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.audit_cursor import AuditCursor
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.transfers import Direction
from tests.domain.repairing import Repairs
from tests.domain.world import JOB, LEASE, World

JOBS = range(100, 140)


def uploading(world: World, artifact: Artifact) -> Iterator[None]:
    """Upload an artifact twice, with other bytes, and pause after each step."""
    key = world.placement.key(artifact)
    for number in range(2):
        request_id, content = f"{artifact}-{number}", f"{artifact} {number * 'x'}".encode()
        world.transfers.request(artifact, Direction.UPLOAD, request_id)
        yield
        claim = world.transfers.claim(
            artifact, Direction.UPLOAD, request_id, owner="worker-1", lease=LEASE
        )
        assert claim is not None
        yield
        world.store.objects[key] = content
        yield
        stored = StoredArtifact(artifact=artifact, object=stored_object(key, content))
        world.transfers.record(claim, stored, world.store.location(key))
        yield


class Uploads:
    """Uploads of which one takes a step whenever the audit looks at the store."""

    def __init__(self, world: World, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self.going = []
        for job_id in JOBS:
            world.jobs.rows[job_id] = Job(job_id, JOB.created_at)
            artifact = Artifact(ArtifactKind.JOB_CONFIG, job_id)
            world.workspace.contents[artifact] = b"source"
            self.going.append(uploading(world, artifact))
        find, listing = InMemoryReader.find, InMemoryReader.list

        def stepping_find(reader: InMemoryReader, address: ObjectAddress) -> BucketObject | None:
            self.step()
            return find(reader, address)

        def stepping_list(
            reader: InMemoryReader, prefix: str, *, after: str = ""
        ) -> Iterator[BucketObject]:
            self.step()
            return iter(list(listing(reader, prefix, after=after)))

        monkeypatch.setattr(InMemoryReader, "find", stepping_find)
        monkeypatch.setattr(InMemoryReader, "list", stepping_list)

    def step(self) -> None:
        """Let one of ten uploads that are under way go on."""
        if self.going:
            upload = self._random.choice(self.going[:10])
            if next(upload, self) is self:
                self.going.remove(upload)


@pytest.mark.parametrize("seed", range(5))
def test_no_upload_that_runs_is_a_fault_or_is_repaired(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    repairs = Repairs()
    world = repairs.world
    uploads = Uploads(world, seed, monkeypatch)
    audit = AuditStore(
        reader=world.reader,
        records=InMemoryAuditedRecords(world.artifacts, world.jobs, world.transfers),
        verify=repairs.verify,
    )
    # When it is audited and repaired again and again
    audits = 0
    while uploads.going:
        audits += 1
        for page in audit(AuditCursor()):
            assert [str(repairs.repair(finding)) for finding in page] == []
    # Then nothing was requested, recorded or sent beside the uploads
    assert audits > 1
    assert world.published == []
    assert repairs.trail.rows == {}
    assert len(world.transfers.rows) == 2 * len(JOBS) + 1
