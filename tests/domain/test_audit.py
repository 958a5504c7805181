"""The whole store beside all that is recorded."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from artifact_pipeline.domain.catalog.audit import AuditStore
from artifact_pipeline.domain.catalog.audit_findings import AuditFinding
from artifact_pipeline.domain.catalog.verdicts import Verdict, VerifiedArtifact
from artifact_pipeline.domain.catalog.verify import VerifyJob
from artifact_pipeline.domain.errors import StoreUnavailableError, UnknownJobError
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.fakes.audit import InMemoryAuditedRecords
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.audit_cursor import AuditCursor
from artifact_pipeline.domain.model.id_set import IdSet
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.transfers import Direction
from tests.domain.world import CONFIG, CONFIG_KEY, JOB, World

JOBS = range(100, 130)
OTHERS = [Artifact(ArtifactKind.JOB_CONFIG, job_id) for job_id in JOBS]


@pytest.fixture
def world() -> World:
    """Thirty jobs with a config each, all as recorded."""
    world = World()
    for artifact in OTHERS:
        world.jobs.rows[artifact.job_id] = Job(artifact.job_id, JOB.created_at)
    world.workspace.contents = {artifact: str(artifact).encode() for artifact in (CONFIG, *OTHERS)}
    for number, artifact in enumerate(OTHERS):
        world.upload(artifact, f"request-{number}")
    return world


def key_of(job_id: int) -> str:
    return CONFIG_KEY.replace("/12/", f"/{job_id}/")


class Verified:
    """Counts the jobs that were compared one by one."""

    def __init__(self, world: World) -> None:
        self.jobs: list[int] = []
        self._verify = VerifyJob(
            locate=world.locate, transfers=world.transfers, reads=world.reader.read
        )

    def __call__(self, job_id: int) -> Sequence[VerifiedArtifact]:
        self.jobs.append(job_id)
        return self._verify(job_id)


def audit_of(world: World, verify: Verified | None = None) -> AuditStore:
    return AuditStore(
        reader=world.reader,
        records=InMemoryAuditedRecords(world.artifacts, world.jobs, world.transfers),
        verify=verify or Verified(world),
    )


def verdicts(findings: Sequence[AuditFinding]) -> dict[int | None, Verdict]:
    return {each.job_id: each.verified.verdict for each in findings}


def all_of(audit: AuditStore, cursor: AuditCursor | None = None) -> list[AuditFinding]:
    return [finding for page in audit(cursor or AuditCursor()) for finding in page]


def test_a_store_that_is_as_recorded_has_no_faults(world: World) -> None:
    # Given
    verify, cursor = Verified(world), AuditCursor()
    # When
    assert all_of(audit_of(world, verify), cursor) == []
    # Then no job was looked at by itself
    assert verify.jobs == []
    assert cursor.counts == {"objects": 30, "jobs": 30}


def test_manifests_are_no_difference(world: World) -> None:
    # Given manifests of known jobs, and of a job that does not exist
    verify = Verified(world)
    for job_id in (*JOBS, 999):
        key = key_of(job_id).replace("job_config.json", "manifest.json")
        world.store.objects[key] = b"{}"
    # When
    findings = all_of(audit_of(world, verify))
    # Then
    assert verify.jobs == []
    assert verdicts(findings) == {999: Verdict.ORPHANED}


def plant(world: World) -> dict[int | None, Verdict]:
    """Plant a fault of each sort; return what is to be found."""
    objects = world.store.objects
    del objects[key_of(101)]
    objects[key_of(102)] = b"other"
    objects["jobs/103/2020/01/01/000000/job_config.json"] = objects.pop(key_of(103))
    del world.artifacts.rows[OTHERS[4]]
    objects["jobs/105/2025/10/23/211500/notes.txt"] = objects[key_of(105)]
    del world.jobs.rows[106]
    objects["jobs/README"] = objects[key_of(105)]
    return {
        101: Verdict.MISSING,
        102: Verdict.CHANGED,
        103: Verdict.MISPLACED,
        104: Verdict.UNRECORDED,
        105: Verdict.FOREIGN,
        106: Verdict.ORPHANED,
        None: Verdict.FOREIGN,
    }


def test_each_fault_is_found_and_no_other(world: World) -> None:
    # Given
    planted = plant(world)
    verify, cursor = Verified(world), AuditCursor()
    # When
    found = verdicts(all_of(audit_of(world, verify), cursor))
    # Then
    assert found.items() >= {**planted, 103: found[103]}.items()
    assert found.keys() == planted.keys()
    # And only jobs that differ were looked at by themselves
    assert set(verify.jobs) == {101, 102, 103, 104, 105}
    assert cursor.counts["missing"] >= 1


@pytest.mark.parametrize("page", [1, 2, 7])
def test_a_killed_audit_continues(world: World, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    # Given
    monkeypatch.setattr("artifact_pipeline.domain.catalog.audit._PAGE", page)
    planted = plant(world)
    whole = [(each.job_id, each.verified) for each in all_of(audit_of(world))]
    # When it ends after each of its pages, and another process continues from what was kept
    found: list[AuditFinding] = []
    kept = AuditCursor().dump()
    while True:
        cursor = AuditCursor.load(kept)
        findings = next(audit_of(world)(cursor), None)
        if findings is None:
            break
        found += findings
        kept = cursor.dump()
    # Then
    assert [(each.job_id, each.verified) for each in found] == whole
    assert verdicts(found).keys() == planted.keys()


def test_only_chosen_jobs_are_compared(world: World) -> None:
    # Given
    plant(world)
    verify, cursor = Verified(world), AuditCursor()
    # When
    chosen = [106, 101, 107, 104]
    found = [each for page in audit_of(world, verify)(cursor, chosen) for each in page]
    # Then
    assert verdicts(found) == {
        101: Verdict.MISSING,
        104: Verdict.UNRECORDED,
        106: Verdict.ORPHANED,
    }
    assert cursor.looked_at == {"objects": 3, "jobs": 4}
    # And a continued one goes on after the last of them
    cursor.after_job = 104
    again = [each for page in audit_of(world)(cursor, chosen) for each in page]
    assert verdicts(again).keys() == {106}


def test_a_chosen_job_that_does_not_exist_is_named(world: World) -> None:
    with pytest.raises(UnknownJobError, match="there is no job 99"):
        list(audit_of(world)(AuditCursor(), [99]))


def test_an_inventory_finds_the_same_without_a_list(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    plant(world)
    listed = list(world.reader.list("jobs/"))
    expected = faults_of(all_of(audit_of(world)))
    listings: list[str] = []
    listing = InMemoryReader.list

    def counted(reader: InMemoryReader, prefix: str, **options: str) -> Iterator[BucketObject]:
        listings.append(prefix)
        return listing(reader, prefix, **options)

    monkeypatch.setattr(InMemoryReader, "list", counted)
    audit = replace(audit_of(world), inventory=lambda after: listed_after(listed, after))
    # When / Then
    assert faults_of(all_of(audit)) == expected
    assert "jobs/" not in listings


def test_an_old_inventory_is_no_false_alarm(world: World) -> None:
    # Given objects that were uploaded, replaced and removed since, with a job that is gone
    listed = list(world.reader.list("jobs/"))
    del listed[3]
    world.workspace.contents[OTHERS[5]] = b"newer"
    world.upload(OTHERS[5], "again")
    del world.jobs.rows[106], world.artifacts.rows[OTHERS[6]], world.store.objects[key_of(106)]
    stray = replace(listed[0], address=ObjectAddress(listed[0].address.bucket, "jobs/README"))
    audit = replace(audit_of(world), inventory=lambda _after: iter([*listed, stray]))
    # When / Then
    assert all_of(audit) == []


def faults_of(findings: Sequence[AuditFinding]) -> set[tuple[Verdict, str]]:
    return {(each.verified.verdict, each.verified.address.key) for each in findings}


def listed_after(listed: Sequence[BucketObject], after: str) -> Iterator[BucketObject]:
    return (each for each in listed if each.address.key > after)


def test_what_runs_is_no_fault(world: World) -> None:
    # Given an upload that has written its object, and not its row
    world.transfers.request(OTHERS[4], Direction.UPLOAD, "again")
    world.transfers.claim(OTHERS[4], Direction.UPLOAD, "again", owner="worker-1", lease=world.lease)
    world.store.objects[key_of(104)] = b"newer"
    cursor = AuditCursor()
    # When / Then
    assert all_of(audit_of(world), cursor) == []


def test_a_store_that_is_away_ends_it_where_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr("artifact_pipeline.domain.catalog.audit._PAGE", 1)
    del world.store.objects[key_of(101)]
    cursor = AuditCursor()
    pages = audit_of(world)(cursor)
    next(pages)
    # When
    monkeypatch.setattr(InMemoryReader, "list", _away)
    lost = range(105, 110)
    for job_id in lost:
        del world.store.objects[key_of(job_id)]
    with pytest.raises(StoreUnavailableError):
        list(pages)
    # Then the next one finds them all
    monkeypatch.undo()
    assert {each.job_id for each in all_of(audit_of(world), cursor)} == {101, *lost}


def _away(*_: object, **__: object) -> None:
    raise StoreUnavailableError("away")


def test_a_set_of_ids_is_as_it_was_kept() -> None:
    # Given
    ids = [1, 7, 8, 8191, 8192, 2**31 - 1]
    made = IdSet()
    for number in ids:
        made.add(number)
    # When
    loaded = IdSet.load(made.dump())
    # Then
    assert all(number in loaded for number in ids)
    assert not any(number in loaded for number in (0, 2, 6, 9, 8190, 8193, 2**31 - 2))
