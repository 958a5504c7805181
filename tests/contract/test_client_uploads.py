"""Whatever a client puts by its URL is recorded in the end, and no repair replaces it."""

from datetime import timedelta

import pytest

from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.transfers.verification import Outcome
from tests.contract.pipeline import CONFIG, CONFIG_KEY, NOW, Pipeline
from tests.contract.repositories import Repositories


@pytest.fixture
def pipeline(repositories: Repositories) -> Pipeline:
    """One that has stored b"one", and has given a client an upload URL since."""
    made = Pipeline(repositories)
    made.write_file(b"one")
    made.upload("first")
    made.transfers.expect(CONFIG, "of a client", NOW)
    return made


def test_a_client_that_uses_its_url_once_more(pipeline: Pipeline) -> None:
    # Given an upload that was confirmed
    pipeline.client_puts(b"of the client")
    pipeline.confirm("of a client")
    confirmed = pipeline.transfers.latest(CONFIG, Direction.CONFIRM)
    assert confirmed is not None
    assert confirmed.state is TransferState.DONE
    # When the client puts another object, and the URL has expired
    pipeline.client_puts(b"of the client again")
    pipeline.run_upkeep()
    # Then
    assert pipeline.store.objects == {CONFIG_KEY: b"of the client again"}
    assert pipeline.agrees()


def test_a_client_that_uses_its_url_while_a_worker_reads(pipeline: Pipeline) -> None:
    # Given a look that has found the object
    pipeline.client_puts(b"of the client")
    pipeline.before_record = lambda: pipeline.client_puts(b"of the client again")
    # When the client replaces it before it is recorded
    pipeline.confirm("of a client")
    pipeline.run_upkeep()
    # Then
    assert pipeline.store.objects == {CONFIG_KEY: b"of the client again"}
    assert pipeline.agrees()


def test_a_client_that_uses_its_url_after_the_confirmation_was_cancelled(
    pipeline: Pipeline,
) -> None:
    # Given
    pipeline.transfers.cancel(12, None, None)
    # When
    pipeline.client_puts(b"of the client")
    assert pipeline.verify() == {Outcome.RECORDED: 1}
    pipeline.run_upkeep()
    # Then what an earlier upload has stored does not replace it
    assert pipeline.store.objects == {CONFIG_KEY: b"of the client"}
    assert pipeline.agrees()


def test_a_late_upload_does_not_replace_what_a_client_has_put(repositories: Repositories) -> None:
    # Given a worker whose transfer ends while it sends, and then a URL that a client has used
    pipeline = Pipeline(repositories)
    pipeline.write_file(b"one")
    pipeline.upload("first")

    def be_overtaken() -> None:
        found = pipeline.artifacts.find(CONFIG)
        assert found is not None
        pipeline.take_over()
        pipeline.transfers.record(pipeline.holder(), found, pipeline.store.location(CONFIG_KEY))
        pipeline.transfers.expect(CONFIG, "of a client", timedelta(hours=1))
        pipeline.client_puts(b"of the client")

    pipeline.write_file(b"two")
    pipeline.store.before_write = be_overtaken
    # When the late worker notices
    pipeline.upload("second")
    # Then it asks for nothing
    assert not pipeline.latest().state.is_active
    pipeline.transfers.make_due(Direction.CONFIRM, 12, None)
    pipeline.run_upkeep()
    assert pipeline.store.objects == {CONFIG_KEY: b"of the client"}
    assert pipeline.agrees()


def test_a_later_upload_is_stored_once_more(pipeline: Pipeline) -> None:
    # Given an upload that was requested after the URL was given
    pipeline.transfers.cancel(12, None, None)
    pipeline.write_file(b"two")
    pipeline.upload("second")
    # When the client uses its URL all the same
    pipeline.client_puts(b"of the client")
    assert pipeline.verify() == {Outcome.REQUESTED: 1}
    pipeline.run_upkeep()
    # Then the later request decides
    assert pipeline.store.objects == {CONFIG_KEY: b"two"}
    assert pipeline.agrees()
