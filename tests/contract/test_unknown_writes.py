"""Whatever became of a write whose answer is unknown, SQL and S3 agree in the end."""

import pytest

from domain.transfers import TransferState
from tests.contract.pipeline import CONFIG, CONFIG_KEY, Pipeline
from tests.contract.repositories import Repositories


@pytest.fixture
def pipeline(repositories: Repositories) -> Pipeline:
    """One that has stored b"one", whose file is b"two" since."""
    made = Pipeline(repositories)
    made.write_file(b"one")
    made.upload("first")
    assert made.agrees()
    made.write_file(b"two")
    return made


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
