"""What becomes of a worker's transfers when it is shut down."""

import pytest

from artifact_pipeline.domain.errors import LeaseLostError
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from tests.contract.transfer_steps import (
    CONFIG,
    HOUR,
    LOGS,
    RESULTS,
    ROOM,
    UPLOAD,
    Write,
    claim_of,
    every_end,
    every_write,
    loss,
)


class TransferShutdownContract:
    def test_the_attempt_is_given_back(self, transfers: ITransferRepository) -> None:
        # Given a worker with two children at work
        claim_of(transfers, RESULTS, "a", owner="host:7:8")
        claim_of(transfers, CONFIG, "b", owner="host:7:9")
        # When it is shut down
        assert transfers.release_leases("host:7") == 2
        # Then both wait, due at once, as if the attempt had not been
        for artifact in (RESULTS, CONFIG):
            latest = transfers.latest(artifact, UPLOAD)
            assert latest is not None
            assert (latest.state, latest.attempts) == (TransferState.WAITING, 0)
            assert (latest.lease_owner, latest.lease_expires_at) == (None, None)
            assert latest.next_attempt_at >= latest.requested_at

    def test_another_workers_transfers_are_left_alone(self, transfers: ITransferRepository) -> None:
        # Given workers whose names only begin alike, or hold what LIKE takes for a wildcard
        for artifact, owner in zip(LOGS, ("host:77:8", "host:6:7", "hostx7:8"), strict=False):
            claim_of(transfers, artifact, owner, owner=owner)
        # Then they keep what they hold
        assert transfers.release_leases("host:7") == 0
        assert transfers.release_leases("host_7") == 0

    @every_write
    def test_a_child_that_still_lives_cannot_write(
        self, transfers: ITransferRepository, write: Write
    ) -> None:
        claim = claim_of(transfers, RESULTS, "a", owner="host:7:8")
        assert claim is not None
        transfers.release_leases("host:7")
        with pytest.raises(LeaseLostError):
            write(transfers, claim)

    def test_it_is_published_at_once(self, transfers: ITransferRepository) -> None:
        claim_of(transfers, RESULTS, "a", owner="host:7:8")
        transfers.release_leases("host:7")
        published = transfers.publish_due(
            lambda _page: None,
            limit=10,
            room=ROOM,
            loss=loss(HOUR, HOUR),
        )
        assert published == 1

    @every_end
    def test_what_has_ended_stays_ended(self, transfers: ITransferRepository, end: Write) -> None:
        claim = claim_of(transfers, RESULTS, "a", owner="host:7:8")
        assert claim is not None
        end(transfers, claim)
        assert transfers.release_leases("host:7") == 0
