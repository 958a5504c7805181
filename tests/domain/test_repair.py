"""What a repair does about each finding of an audit."""

from dataclasses import replace

import pytest

from artifact_pipeline.domain.catalog.audit_findings import Repair, RepairOutcome
from artifact_pipeline.domain.catalog.verdicts import Verdict
from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.fakes import InMemoryReader
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.operator_actions import ActionName, ActionOutcome
from artifact_pipeline.domain.model.tombstones import DeletionScope
from artifact_pipeline.domain.model.transfers import Direction
from tests.domain.repairing import Repairs
from tests.domain.world import CONFIG, CONFIG_KEY, LEASE, RESULTS

REQUESTED = Repair(RepairOutcome.REQUESTED)
RECORDED = Repair(RepairOutcome.RECORDED)


@pytest.fixture
def repairs() -> Repairs:
    return Repairs()


def lose(repairs: Repairs) -> None:
    del repairs.world.store.objects[CONFIG_KEY]


def forget(repairs: Repairs) -> None:
    """Lose the row; the object stays."""
    del repairs.world.artifacts.rows[CONFIG]


def test_a_lost_artifact_is_requested_again(repairs: Repairs) -> None:
    # Given
    lose(repairs)
    # When
    assert repairs.repair() == REQUESTED
    # Then a worker stores it, and no audit finds it again
    [transfer] = repairs.world.published
    assert (transfer.artifact, transfer.direction) == (CONFIG, Direction.UPLOAD)
    assert transfer.requested_by == "ann"
    repairs.world.upload(CONFIG, transfer.request_id)
    assert repairs.world.store.objects[CONFIG_KEY] == b"config"
    assert repairs.findings() == []


@pytest.mark.parametrize("own", ["host-a", None])
def test_a_lost_artifact_is_requested_where_its_source_was_found(
    repairs: Repairs, own: str | None
) -> None:
    # Given a last upload of another host, whose tree is gone
    [last] = repairs.world.transfers.rows.values()
    repairs.world.transfers.rows[last.id] = replace(last, workspace="host-b")
    lose(repairs)
    # When
    assert repairs.repair(workspace=own) == REQUESTED
    # Then
    [transfer] = repairs.world.published
    assert transfer.workspace == own


def test_each_repair_is_in_the_audit_trail(repairs: Repairs) -> None:
    # Given
    lose(repairs)
    # When
    repairs.repair()
    # Then
    [action] = repairs.trail.of_job(12)
    assert action.name == ActionName.AUDIT_REPAIR
    assert (action.actor, action.reason) == ("ann", "a disk was lost")
    assert action.target == {"kind": "job_config", "found": "missing"}
    assert (action.outcome, action.result) == (ActionOutcome.DONE, "upload requested")


def test_a_lost_artifact_without_a_source_is_left(repairs: Repairs) -> None:
    # Given
    lose(repairs)
    repairs.world.workspace.contents.clear()
    # When / Then
    assert repairs.repair().why == "its source is not in the workspace"
    assert "ARTIFACTS_WORKSPACE is not set" in str(repairs.repair(has_source=None))
    assert repairs.world.published == []
    assert repairs.trail.rows == {}


def test_an_object_without_a_row_is_recorded_with_its_checksum(repairs: Repairs) -> None:
    # Given
    sha256 = repairs.world.artifacts.rows[CONFIG].object.sha256
    forget(repairs)
    # When
    assert repairs.repair() == RECORDED
    # Then
    assert repairs.world.artifacts.rows[CONFIG].object.sha256 == sha256
    assert repairs.findings() == []
    [action] = repairs.trail.of_job(12)
    assert (action.target["found"], action.result) == ("unrecorded", "recorded")


def test_an_object_whose_sha256_is_not_known_is_read_by_a_worker(repairs: Repairs) -> None:
    # Given
    forget(repairs)
    world = repairs.world
    world.reader.without_sha256.add(ObjectAddress(world.reader.bucket, CONFIG_KEY))
    # When
    assert repairs.repair() == Repair(RepairOutcome.CONFIRMING)
    # Then
    [transfer] = world.published
    world.confirm(CONFIG, transfer.request_id)
    assert CONFIG in world.artifacts.rows
    assert repairs.findings() == []


def test_what_was_deleted_on_purpose_is_left(repairs: Repairs) -> None:
    # Given a deletion that has not removed the row yet, and then only the object
    directory = repairs.world.placement.prefix_of(12).directory
    scope = DeletionScope(job_id=12, directory=directory)
    repairs.tombstones.lay([scope], deleted_by="bob", reason=None, all_versions=False)
    lose(repairs)
    # When / Then
    assert repairs.repair().why == "it was deleted by bob"
    repairs.world.put(CONFIG_KEY, b"late")
    forget(repairs)
    assert repairs.repair().why == "it was deleted by bob"
    assert repairs.trail.rows == {}


def plant_others(repairs: Repairs) -> None:
    """Plant a fault of each sort that could only be repaired by replacing or removing bytes."""
    world = repairs.world
    world.workspace.contents[RESULTS] = b"results"
    world.upload(RESULTS, "results")
    key = CONFIG_KEY.replace("job_config.json", "run_4_results.zip")
    moved = key.replace("/2025/10/23/", "/2025/10/24/")
    world.put(moved, world.store.objects.pop(key))
    del world.artifacts.rows[RESULTS]
    world.put(CONFIG_KEY, b"other")
    world.put(CONFIG_KEY.replace("job_config.json", "notes.txt"), b"notes")


def test_what_a_repair_could_replace_or_remove_is_left(repairs: Repairs) -> None:
    # Given
    plant_others(repairs)
    before = dict(repairs.world.store.objects)
    findings = repairs.findings()
    # When
    outcomes = {each.verified.verdict: repairs.repair(each).outcome for each in findings}
    # Then
    assert outcomes == dict.fromkeys(
        (Verdict.CHANGED, Verdict.MISPLACED, Verdict.FOREIGN), RepairOutcome.LEFT
    )
    assert repairs.world.store.objects == before
    assert repairs.world.published == []


def test_a_second_repair_leaves_what_the_first_has_requested(repairs: Repairs) -> None:
    # Given
    lose(repairs)
    finding = repairs.finding()
    repairs.repair(finding)
    # When
    again = repairs.repair(finding)
    # Then
    assert again.why == "a transfer of it is active: upload"
    assert len(repairs.world.published) == 1


@pytest.mark.parametrize("plant", [lose, forget])
def test_what_an_upload_has_settled_since_is_left(repairs: Repairs, plant: object) -> None:
    # Given a finding, and an upload that ended after it
    assert callable(plant)
    plant(repairs)
    finding = repairs.finding()
    repairs.world.upload(CONFIG, "again")
    row = repairs.world.artifacts.rows[CONFIG]
    # When / Then
    assert repairs.repair(finding).outcome is RepairOutcome.LEFT
    assert repairs.world.artifacts.rows[CONFIG] == row
    assert repairs.trail.rows == {}


def test_an_upload_that_begins_during_the_repair_is_not_overtaken(
    repairs: Repairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an upload that is requested and claimed while the repair looks at the store
    forget(repairs)
    finding, find = repairs.finding(), InMemoryReader.find

    def claimed_now(reader: InMemoryReader, address: ObjectAddress) -> BucketObject | None:
        transfers = repairs.world.transfers
        transfers.claim(CONFIG, Direction.UPLOAD, "again", owner="worker-2", lease=LEASE)
        return find(reader, address)

    monkeypatch.setattr(InMemoryReader, "find", claimed_now)
    # When
    repaired = repairs.repair(finding)
    # Then the upload records what it writes
    assert repaired.why is not None
    assert "another upload was requested since" in repaired.why
    assert CONFIG not in repairs.world.artifacts.rows
    # And the audit trail says that nothing came of it
    [action] = repairs.trail.of_job(12)
    assert action.outcome == ActionOutcome.FAILED


def test_a_store_that_is_away_ends_the_repair(
    repairs: Repairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    forget(repairs)
    finding = repairs.finding()

    def away(*_: object) -> None:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(InMemoryReader, "find", away)
    # When / Then
    with pytest.raises(StoreUnavailableError):
        repairs.repair(finding)
