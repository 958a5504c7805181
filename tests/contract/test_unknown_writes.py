"""Whatever became of a write whose answer is unknown, SQL and S3 agree in the end."""

from dataclasses import replace

import pytest

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.model.artifacts import Scheme
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.quarantine import QuarantineFilter
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from tests.contract.pipeline import CONFIG, CONFIG_KEY, Pipeline
from tests.contract.repositories import Repositories
from tests.contract.transfer_steps import LOCATION, stored_artifact

OLD_KEY = "old/12/job_config.json"


@pytest.fixture
def pipeline(repositories: Repositories) -> Pipeline:
    """One that has stored b"one", whose file is b"two" since."""
    return with_one(repositories)


def test_a_cancelled_transfer_whose_write_was_carried_out(pipeline: Pipeline) -> None:
    # Given a transfer that waits, since the answer to its write was lost
    pipeline.store.lost_answers = 1
    pipeline.upload("second")
    assert pipeline.latest().state is TransferState.WAITING
    # When it is cancelled
    pipeline.transfers.cancel(12, None, None)
    pipeline.run_upkeep()
    # Then SQL records the bytes that it has put into the bucket
    assert pipeline.store.objects == {CONFIG_KEY: b"two"}
    assert pipeline.agrees()
    assert pipeline.latest().state is TransferState.CANCELLED


def test_a_quarantined_transfer_whose_write_was_carried_out(pipeline: Pipeline) -> None:
    # Given a transfer whose last attempt has lost the answer to its write
    pipeline.max_attempts = 1
    pipeline.store.lost_answers = 1
    pipeline.upload("second")
    assert pipeline.latest().state is TransferState.QUARANTINED
    # When upkeep runs
    pipeline.run_upkeep()
    # Then SQL records what the bucket holds
    assert pipeline.store.objects == {CONFIG_KEY: b"two"}
    assert pipeline.agrees()


def test_a_repair_that_its_successor_absorbs(pipeline: Pipeline) -> None:
    # Given a worker that is overtaken while its write is on its way. The file is as it was, so its
    # successor finds the recorded object unchanged
    def be_overtaken() -> None:
        pipeline.take_over()
        pipeline.write_file(b"one")

    pipeline.store.before_write = be_overtaken
    found = pipeline.artifacts.find(CONFIG)
    assert found is not None
    # When the write replaces the object, and the successor then records what it has found
    pipeline.upload("second")
    assert pipeline.store.objects == {CONFIG_KEY: b"two"}
    pipeline.transfers.record(pipeline.holder(), found, pipeline.store.location(CONFIG_KEY))
    pipeline.run_upkeep()
    # Then the file is stored once more
    assert pipeline.store.objects == {CONFIG_KEY: b"one"}
    assert pipeline.agrees()


def test_a_discarded_transfer_whose_write_was_carried_out(repositories: Repositories) -> None:
    # Given a quarantined transfer whose last attempt has lost the answer to its write
    pipeline, quarantine = with_one(repositories), repositories.quarantine
    pipeline.max_attempts = 1
    pipeline.store.lost_answers = 1
    pipeline.upload("second")
    assert pipeline.latest().state is TransferState.QUARANTINED
    # When it is discarded before a verification has looked
    assert quarantine.discard(QuarantineFilter(job_ids=frozenset({12}))) == 1
    assert pipeline.latest().state is TransferState.CANCELLED
    pipeline.run_upkeep()
    # Then SQL records what the bucket holds
    assert pipeline.store.objects == {CONFIG_KEY: b"two"}
    assert pipeline.agrees()


def test_a_transfer_that_is_discarded_after_its_verification(repositories: Repositories) -> None:
    # Given a quarantined transfer that was verified
    pipeline, quarantine = with_one(repositories), repositories.quarantine
    pipeline.max_attempts = 1
    pipeline.store.lost_answers = 1
    pipeline.upload("second")
    pipeline.run_upkeep()
    # When it is discarded
    assert quarantine.discard(QuarantineFilter(job_ids=frozenset({12}))) == 1
    # Then nothing is left to verify
    assert pipeline.verify() == {}
    assert pipeline.agrees()


@pytest.mark.parametrize("is_in_parts", [False, True], ids=["one PUT", "in parts"])
def test_a_cancelled_relocation_whose_copy_was_carried_out(
    repositories: Repositories, *, is_in_parts: bool
) -> None:
    # Given an artifact that is recorded under an old path, and a copy whose answer was lost
    pipeline = with_an_old_path(repositories)
    if is_in_parts:
        copy = ObjectAddress(pipeline.reader.bucket, CONFIG_KEY)
        pipeline.reader.without_sha256 = {copy}
    pipeline.copier.lost_answers = 1
    pipeline.relocate("move")
    moving = pipeline.transfers.latest(CONFIG, Direction.RELOCATE)
    assert moving is not None
    assert moving.state is TransferState.WAITING
    # When it is cancelled
    pipeline.transfers.cancel(12, None, None)
    pipeline.run_upkeep()
    # Then SQL records the copy, and the old object is left
    stored = pipeline.artifacts.find(CONFIG)
    assert stored is not None
    assert (stored.object.key, stored.scheme) == (CONFIG_KEY, Scheme.PREFIX)
    assert pipeline.store.objects == {OLD_KEY: b"one", CONFIG_KEY: b"one"}
    assert pipeline.store.holds(stored.object)
    location = repositories.location(CONFIG)
    assert location is not None
    assert location.endswith(CONFIG_KEY)


def test_a_cancelled_relocation_whose_copy_never_arrived(repositories: Repositories) -> None:
    # Given
    pipeline = with_an_old_path(repositories)
    pipeline.copier.failures.append(StoreUnavailableError())
    pipeline.relocate("move")
    # When
    pipeline.transfers.cancel(12, None, None)
    pipeline.run_upkeep()
    # Then SQL still records the old object
    stored = pipeline.artifacts.find(CONFIG)
    assert stored is not None
    assert stored.object.key == OLD_KEY
    assert pipeline.store.objects == {OLD_KEY: b"one"}


def with_one(repositories: Repositories) -> Pipeline:
    """Store b"one", and change the file to b"two"."""
    made = Pipeline(repositories)
    made.write_file(b"one")
    made.upload("first")
    assert made.agrees()
    made.write_file(b"two")
    return made


def with_an_old_path(repositories: Repositories) -> Pipeline:
    """Record b"one" as an earlier rule has placed it."""
    made = Pipeline(repositories)
    made.store.objects[OLD_KEY] = b"one"
    old = made.reader.find(ObjectAddress(made.reader.bucket, OLD_KEY))
    assert old is not None
    named = stored_artifact(CONFIG)
    kept = replace(
        named.object, key=OLD_KEY, size=old.size, version=old.version, sha256=old.sha256 or ""
    )
    stored = replace(named, object=kept, scheme=Scheme.LEGACY)
    made.artifacts.record(stored, LOCATION, None)
    return made
