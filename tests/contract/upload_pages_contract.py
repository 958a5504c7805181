"""What every adapter of pages of uploads promises: one suite, run over each adapter."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from artifact_pipeline.domain.errors import LeaseLostError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.transfer_pages import (
    IUploadPages,
    StoredUpload,
)
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from tests.contract.page_claim_contract import PageClaimContract
from tests.contract.transfer_steps import (
    AT_ONCE,
    CONFIG,
    HOUR,
    LOCATION,
    claim_of,
    claimed,
    latest,
    published,
    stored_artifact,
)
from tests.contract.upload_page_steps import (
    RUN_CONFIGS,
    all_of_job,
    artifacts_of,
    claims,
    request,
    stored_upload,
)


class PageRecordContract:
    def test_a_page_is_recorded_as_each_of_it_alone(
        self,
        pages: IUploadPages,
        transfers: ITransferRepository,
        artifacts: IArtifactRepository,
        location: Callable[[Artifact], str | None],
    ) -> None:
        # Given uploads of each kind; two of one run
        each_kind = [Artifact(k, 12, 4 if k.belongs_to_run else None) for k in ArtifactKind]
        request(transfers, *each_kind)
        uploads = [stored_upload(claim) for claim in claims(all_of_job(pages))]
        # When
        recorded = pages.record(uploads)
        # Then
        assert recorded == {upload.claim.transfer_id for upload in uploads}
        assert len(recorded) == len(each_kind)
        for artifact in each_kind:
            row = latest(transfers, artifact)
            assert (row.state, row.bytes_sent) == (TransferState.DONE, 0)
            assert (row.lease_owner, row.lease_expires_at) == (None, None)
            assert row.finished_at is not None
            assert artifacts.find(artifact) == stored_artifact(artifact)
            has_column = artifact.kind.spec.column is not None
            assert location(artifact) == (LOCATION.sanitized if has_column else None)
        assert location(RUN_CONFIGS[0]) is None

    def test_what_is_void_is_not_recorded_and_the_others_are(
        self, pages: IUploadPages, transfers: ITransferRepository, artifacts: IArtifactRepository
    ) -> None:
        # Given a page of which one was cancelled, one taken over, and one ended before
        request(transfers, CONFIG, *RUN_CONFIGS[:3])
        held = claims(all_of_job(pages, lease=AT_ONCE))
        transfers.cancel(12, 1, None)
        claimed(transfers, RUN_CONFIGS[1], str(RUN_CONFIGS[1]), owner="worker-2")
        transfers.finish(held[3], 7)
        # When
        recorded = pages.record([stored_upload(claim) for claim in held])
        # Then
        assert recorded == {held[0].transfer_id}
        assert artifacts.find(CONFIG) == stored_artifact(CONFIG)
        assert [artifacts.find(each) for each in RUN_CONFIGS[:3]] == [None] * 3
        states = [latest(transfers, each).state for each in RUN_CONFIGS[:3]]
        assert states == [TransferState.CANCELLED, TransferState.RUNNING, TransferState.DONE]

    def test_nothing_is_recorded_twice(
        self, pages: IUploadPages, transfers: ITransferRepository
    ) -> None:
        request(transfers, CONFIG)
        uploads = [stored_upload(claim) for claim in claims(all_of_job(pages))]
        assert len(pages.record(uploads)) == 1
        assert pages.record(uploads) == set()
        assert pages.record([]) == set()

    def test_an_artifact_that_is_recorded_again_is_replaced(
        self, pages: IUploadPages, transfers: ITransferRepository, artifacts: IArtifactRepository
    ) -> None:
        # Given
        transfers.record(claimed(transfers, CONFIG), stored_artifact(CONFIG), LOCATION)
        request(transfers, CONFIG)
        (claim,) = claims(all_of_job(pages))
        known = stored_artifact(CONFIG)
        sent = replace(known.object, size=1, sha256="cd" * 32, version_id=None, bytes_sent=1)
        again = replace(known, object=sent, links_left_out=0, stored_at=None)
        # When
        before = transfers.now()
        pages.record([StoredUpload(claim=claim, stored=again, location=LOCATION)])
        # Then, and the clock of the repository says when
        found = artifacts.find(CONFIG)
        assert found is not None
        assert before <= found.recorded_at <= transfers.now()
        assert (found.object.size, found.object.sha256) == (1, "cd" * 32)
        assert (found.object.version_id, found.links_left_out) == (None, 0)
        assert latest(transfers, CONFIG).bytes_sent == 1


class PageLeaseContract:
    def test_renewed_leases_last_their_full_time_again(
        self, pages: IUploadPages, transfers: ITransferRepository
    ) -> None:
        # Given leases that have run out
        request(transfers, CONFIG, RUN_CONFIGS[0])
        held = claims(all_of_job(pages, lease=AT_ONCE))
        # When
        renewed = pages.renew([replace(claim, lease=HOUR) for claim in held])
        # Then
        assert renewed == {claim.transfer_id for claim in held}
        assert claim_of(transfers, CONFIG, str(CONFIG), owner="worker-2") is None

    def test_a_renewal_leaves_out_what_was_cancelled_taken_over_or_ended(
        self, pages: IUploadPages, transfers: ITransferRepository
    ) -> None:
        # Given
        request(transfers, CONFIG, *RUN_CONFIGS[:3])
        held = claims(all_of_job(pages, lease=AT_ONCE))
        transfers.cancel(12, 1, None)
        other = claimed(transfers, RUN_CONFIGS[1], str(RUN_CONFIGS[1]), owner="worker-2")
        transfers.finish(held[3], 7)
        # Then
        assert pages.renew(held) == {held[0].transfer_id}
        assert pages.renew([]) == set()
        transfers.finish(other, 7)

    def test_what_is_given_back_is_due_at_once_as_if_it_had_not_been_claimed(
        self, pages: IUploadPages, transfers: ITransferRepository
    ) -> None:
        # Given a page that was published
        request(transfers, CONFIG, RUN_CONFIGS[0])
        published(transfers)
        held = claims(all_of_job(pages))
        # When
        given_back = pages.release_leases(held)
        # Then both wait, and are published again
        assert [row.artifact for row in given_back] == [CONFIG, RUN_CONFIGS[0]]
        assert {row.state for row in given_back} == {TransferState.WAITING}
        for claim in held:
            row = latest(transfers, claim.artifact)
            assert (row.state, row.attempts) == (TransferState.WAITING, 0)
            assert (row.lease_owner, row.lease_expires_at) == (None, None)
            assert (row.reason_code, row.doubted_at) == (None, None)
        assert [each.artifact for each in published(transfers)] == [CONFIG, RUN_CONFIGS[0]]
        # And the claims are void
        assert pages.renew(held) == set()
        with pytest.raises(LeaseLostError):
            transfers.finish(held[0], 0)
        # And another page may hold them
        assert artifacts_of(all_of_job(pages)) == [CONFIG, RUN_CONFIGS[0]]

    def test_what_is_void_is_not_given_back(
        self, pages: IUploadPages, transfers: ITransferRepository
    ) -> None:
        # Given a page whose first upload is done, and whose second is cancelled
        request(transfers, CONFIG, RUN_CONFIGS[0])
        held = claims(all_of_job(pages))
        pages.record([stored_upload(held[0])])
        transfers.cancel(12, 1, None)
        # Then
        assert pages.release_leases(held) == []
        assert pages.release_leases([]) == []
        assert latest(transfers, CONFIG).state is TransferState.DONE
        assert latest(transfers, RUN_CONFIGS[0]).state is TransferState.CANCELLED


class UploadPagesContract(PageClaimContract, PageRecordContract, PageLeaseContract):
    """The whole suite; the fixtures are those of `TransferRepositoryContract`, and `pages`.

    `largest_page` is what a page holds at most: an adapter may claim one at a time.
    """
