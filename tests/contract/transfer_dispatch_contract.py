"""The transfer contract, continued: what the dispatch publishes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import QueueCapacity, Transfer
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from tests.contract.transfer_steps import (
    AT_ONCE,
    CONFIG,
    HOUR,
    LOGS,
    RESULTS,
    ROOM,
    RUN_OUT,
    UPLOAD,
    Write,
    claimed,
    every_end,
    is_utc,
    latest,
    loss,
    published,
)


class DispatchContract:
    def test_a_fresh_request_is_left_to_its_producer(self, transfers: ITransferRepository) -> None:
        transfers.request(RESULTS, UPLOAD, "a")
        assert published(transfers, unclaimed_after=HOUR) == []
        assert latest(transfers).enqueued_at is None

    def test_a_request_that_nobody_claimed_is_published_and_marked(
        self, transfers: ITransferRepository
    ) -> None:
        requested = transfers.request(RESULTS, UPLOAD, "a")
        assert published(transfers) == [requested]
        assert is_utc(latest(transfers).enqueued_at)
        # Then the next sweep leaves it alone
        assert published(transfers) == []

    def test_what_is_still_unclaimed_is_published_again(
        self, transfers: ITransferRepository
    ) -> None:
        transfers.request(RESULTS, UPLOAD, "a")
        published(transfers)
        marked = latest(transfers)
        assert published(transfers, unclaimed_after=HOUR, republish_after=AT_ONCE) == [marked]

    def test_what_was_purged_is_published_again(self, transfers: ITransferRepository) -> None:
        # Given two that were sent, and a worker that has claimed one of them
        for artifact in (CONFIG, RESULTS):
            transfers.request(artifact, UPLOAD, "a")
        published(transfers)
        claimed(transfers, CONFIG)
        # When the queue of the other is empty, it is not there any more
        kinds = frozenset({ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_RESULTS})
        empty = QueueCapacity(kinds=kinds, batches=False)
        assert published(transfers, unclaimed_after=HOUR, empty=empty) == []
        assert published(transfers, empty=QueueCapacity(kinds=frozenset(), batches=True)) == []
        assert [each.artifact for each in published(transfers, empty=empty)] == [RESULTS]

    def test_a_publish_that_fails_leaves_all_unmarked(self, transfers: ITransferRepository) -> None:
        requested = [transfers.request(artifact, UPLOAD, "a") for artifact in LOGS]

        def fail(_: Sequence[Transfer]) -> None:
            raise ConnectionError

        with pytest.raises(ConnectionError):
            transfers.publish_due(
                fail,
                limit=9,
                room=ROOM,
                loss=loss(AT_ONCE, HOUR),
            )
        assert [latest(transfers, artifact) for artifact in LOGS] == requested
        assert published(transfers) == requested

    def test_the_backlog_is_published_in_pages_oldest_first(
        self, transfers: ITransferRepository
    ) -> None:
        requested = [transfers.request(artifact, UPLOAD, "a") for artifact in LOGS]
        pages = [published(transfers, limit=2) for _ in range(4)]
        assert pages == [requested[:2], requested[2:4], requested[4:], []]

    def test_a_retry_is_published_once_it_is_due(self, transfers: ITransferRepository) -> None:
        # Given one whose message was sent before its attempt failed
        transfers.request(RESULTS, UPLOAD, "a")
        published(transfers)
        transfers.wait(claimed(transfers), StoreUnavailableError(), AT_ONCE)
        assert published(transfers, unclaimed_after=HOUR) == [
            replace(latest(transfers), enqueued_at=None)
        ]
        # Then once only, until it is claimed
        assert published(transfers, unclaimed_after=HOUR) == []

    def test_a_retry_that_is_not_due_is_not_published(self, transfers: ITransferRepository) -> None:
        transfers.wait(claimed(transfers), StoreUnavailableError(), HOUR)
        assert published(transfers, republish_after=AT_ONCE) == []

    def test_what_a_worker_holds_is_not_published(self, transfers: ITransferRepository) -> None:
        transfers.request(RESULTS, UPLOAD, "a")
        published(transfers)
        claimed(transfers)
        assert published(transfers, republish_after=AT_ONCE) == []

    def test_a_lease_that_has_run_out_is_published_at_once(
        self, transfers: ITransferRepository
    ) -> None:
        claim = claimed(transfers, lease=RUN_OUT)
        sent = published(transfers, unclaimed_after=HOUR)
        assert [transfer.id for transfer in sent] == [claim.transfer_id]
        # Then again only after a while, for the message is on its way
        assert published(transfers, unclaimed_after=HOUR) == []
        assert len(published(transfers, republish_after=AT_ONCE)) == 1

    def test_a_message_from_before_the_loss_does_not_count(
        self, transfers: ITransferRepository
    ) -> None:
        # Given one that was published, then claimed by a worker that died
        transfers.request(RESULTS, UPLOAD, "a")
        published(transfers)
        claimed(transfers, lease=AT_ONCE)
        assert len(published(transfers, unclaimed_after=HOUR)) == 1

    @every_end
    def test_what_has_ended_is_never_published(
        self, transfers: ITransferRepository, end: Write
    ) -> None:
        end(transfers, claimed(transfers))
        assert published(transfers, republish_after=AT_ONCE) == []

    def test_nothing_due_is_nothing_published(self, transfers: ITransferRepository) -> None:
        def fail(_: Sequence[Transfer]) -> None:
            pytest.fail("published an empty page")

        published_count = transfers.publish_due(
            fail,
            limit=9,
            room=ROOM,
            loss=loss(AT_ONCE, AT_ONCE),
        )
        assert published_count == 0
