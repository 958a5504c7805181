"""What every adapter of pages of uploads promises: one suite, run over each adapter."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from artifact_pipeline.domain.errors import LeaseLostError, StoreUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Claim, Direction, TransferState
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.transfer_pages import (
    ClaimedUpload,
    IUploadPages,
    StoredUpload,
)
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from tests.contract.transfer_steps import (
    AT_ONCE,
    CONFIG,
    HOUR,
    LOCATION,
    LOGS,
    RESULTS,
    UPLOAD,
    at_once,
    claim_of,
    claimed,
    latest,
    published,
    stored_artifact,
)

RUN_CONFIGS = [Artifact(ArtifactKind.RUN_CONFIG, 12, run_id) for run_id in range(1, 6)]
SMALL = (ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_CONFIG)
UNKNOWN = Artifact(ArtifactKind.RUN_CONFIG, 13, 77)


def request(transfers: ITransferRepository, *artifacts: Artifact) -> None:
    """Request an upload of each, under its own name."""
    for artifact in artifacts:
        transfers.request(artifact, UPLOAD, str(artifact))


def page_of(
    pages: IUploadPages,
    asked: Artifact = CONFIG,
    *,
    limit: int = 100,
    owner: str = "worker-1",
    lease: timedelta = HOUR,
) -> list[ClaimedUpload]:
    return pages.claim(asked, str(asked), kinds=SMALL, limit=limit, owner=owner, lease=lease)


def all_of_job(pages: IUploadPages, *, lease: timedelta = HOUR) -> list[ClaimedUpload]:
    """What all pages of the job hold together."""
    uploads: list[ClaimedUpload] = []
    while page := pages.claim_of_job(12, limit=100, owner="worker-1", lease=lease):
        uploads += page
    return uploads


def claims(uploads: Sequence[ClaimedUpload]) -> list[Claim]:
    return [upload.claim for upload in uploads]


def artifacts_of(uploads: Sequence[ClaimedUpload]) -> list[Artifact]:
    return [upload.claim.artifact for upload in uploads]


def stored_upload(claim: Claim) -> StoredUpload:
    return StoredUpload(claim=claim, stored=stored_artifact(claim.artifact), location=LOCATION)


class PageClaimContract:
    def test_a_page_begins_with_its_request_and_goes_on_in_the_order_of_due_times(
        self, pages: IUploadPages, transfers: ITransferRepository, largest_page: int
    ) -> None:
        # Given uploads of the kinds, one of another kind, and one that is asked for
        request(transfers, *RUN_CONFIGS, RESULTS, CONFIG)
        # When
        page = page_of(pages)
        # Then
        assert artifacts_of(page) == [CONFIG, *RUN_CONFIGS][:largest_page]
        assert latest(transfers, RESULTS).state is TransferState.REQUESTED

    def test_each_is_claimed_as_one_alone(
        self, pages: IUploadPages, transfers: ITransferRepository, largest_page: int
    ) -> None:
        # Given
        request(transfers, CONFIG, RUN_CONFIGS[0])
        # When
        page = page_of(pages)
        # Then
        assert len(page) == min(2, largest_page)
        for upload in page:
            claim, row = upload.claim, latest(transfers, upload.claim.artifact)
            assert (claim.transfer_id, upload.request_id) == (row.id, row.request_id)
            assert (claim.owner, claim.lease, claim.direction) == ("worker-1", HOUR, UPLOAD)
            assert (claim.fence, claim.attempt) == (row.fence, row.attempts) == (1, 1)
            assert (row.state, row.lease_owner) == (TransferState.RUNNING, "worker-1")
            assert row.lease_expires_at is not None
            assert claim_of(transfers, claim.artifact, row.request_id) is None

    def test_each_has_the_rows_that_its_handler_needs(
        self, pages: IUploadPages, transfers: ITransferRepository
    ) -> None:
        # Given an artifact that is stored and asked for again, and one of a job that is unknown
        stored = stored_artifact(RUN_CONFIGS[3])
        transfers.record(claimed(transfers, RUN_CONFIGS[3]), stored, LOCATION)
        request(transfers, CONFIG, RUN_CONFIGS[3], UNKNOWN)
        # When each is claimed
        config = page_of(pages, CONFIG, limit=1)[0]
        run_config = page_of(pages, RUN_CONFIGS[3], limit=1)[0]
        unknown = page_of(pages, UNKNOWN, limit=1)[0]
        # Then
        assert config.job is not None
        assert (config.job.id, config.job.user_id) == (12, 1)
        assert (config.run, config.stored) == (None, None)
        assert run_config.job == config.job
        assert run_config.run is not None
        assert (run_config.run.id, run_config.run.job_id) == (4, 12)
        assert run_config.stored == stored
        assert (unknown.job, unknown.run, unknown.stored) == (None, None, None)

    def test_a_page_holds_no_more_than_its_limit(
        self, pages: IUploadPages, transfers: ITransferRepository, largest_page: int
    ) -> None:
        request(transfers, CONFIG, *RUN_CONFIGS)
        expected = [CONFIG, *RUN_CONFIGS[:2]][:largest_page]
        assert artifacts_of(page_of(pages, limit=3)) == expected
        left = [*RUN_CONFIGS, CONFIG]
        states = [latest(transfers, each).state for each in left if each not in expected]
        assert set(states) == {TransferState.REQUESTED}

    def test_an_attempt_that_failed_before_is_claimed_alone(
        self, pages: IUploadPages, transfers: ITransferRepository
    ) -> None:
        # Given one that failed and is due again, one that killed its worker, and one in parts
        request(transfers, *RUN_CONFIGS[:3])
        transfers.wait(claimed(transfers, RUN_CONFIGS[0]), StoreUnavailableError(), AT_ONCE)
        claimed(transfers, RUN_CONFIGS[1], lease=AT_ONCE)
        in_parts = claimed(transfers, RUN_CONFIGS[2], owner="host:1:2")
        transfers.keep_upload_id(in_parts, "upload-1")
        transfers.give_back("host:1")
        request(transfers, CONFIG)
        # Then none of them is part of a page, whether it was asked for or not
        assert [page_of(pages, artifact) for artifact in RUN_CONFIGS[:3]] == [[], [], []]
        assert artifacts_of(page_of(pages)) == [CONFIG]
        assert pages.claim_of_job(12, limit=9, owner="worker-1", lease=HOUR) == []
        # And each can be claimed alone
        assert all(claim_of(transfers, each, str(each)) for each in RUN_CONFIGS[:3])

    def test_nothing_is_claimed_if_the_request_cannot_be_part_of_a_page(
        self, pages: IUploadPages, transfers: ITransferRepository
    ) -> None:
        # Given others that are due
        request(transfers, *RUN_CONFIGS)
        # When it is unknown, running, and done
        assert page_of(pages) == []
        claim = claimed(transfers, CONFIG, str(CONFIG))
        assert page_of(pages) == []
        transfers.record(claim, stored_artifact(CONFIG), LOCATION)
        assert page_of(pages) == []
        # Then
        states = {latest(transfers, each).state for each in RUN_CONFIGS}
        assert states == {TransferState.REQUESTED}

    def test_only_uploads_are_part_of_a_page(
        self, pages: IUploadPages, transfers: ITransferRepository
    ) -> None:
        # Given other directions, and an upload
        for direction in set(Direction) - {UPLOAD}:
            transfers.request(RUN_CONFIGS[0], direction, direction)
        request(transfers, CONFIG)
        # Then
        assert artifacts_of(page_of(pages)) == [CONFIG]
        assert all_of_job(pages) == []

    def test_ten_workers_claim_each_upload_once(
        self, pages: IUploadPages, transfers: ITransferRepository
    ) -> None:
        # Given
        request(transfers, CONFIG, *RUN_CONFIGS)
        # When
        claimed_pages = at_once(lambda number: page_of(pages, limit=4, owner=f"worker-{number}"))
        rest = all_of_job(pages)
        # Then the request is in one page, and no upload in two
        uploads = [each for page in claimed_pages for each in artifacts_of(page)]
        assert sorted(map(str, uploads + artifacts_of(rest))) == sorted(
            map(str, [CONFIG, *RUN_CONFIGS])
        )
        assert sum(page != [] for page in claimed_pages) == 1

    def test_a_page_of_a_job_holds_all_its_kinds(
        self, pages: IUploadPages, transfers: ITransferRepository, largest_page: int
    ) -> None:
        # Given uploads of a job in their order, and one of another job
        request(transfers, RESULTS, UNKNOWN, CONFIG, LOGS[0])
        # When
        page = pages.claim_of_job(12, limit=2, owner="worker-1", lease=HOUR)
        # Then
        assert artifacts_of(page) == [RESULTS, CONFIG][:largest_page]
        assert artifacts_of(page + all_of_job(pages)) == [RESULTS, CONFIG, LOGS[0]]
        assert latest(transfers, UNKNOWN).state is TransferState.REQUESTED


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
        pages.give_back(held)
        # Then both wait, and are published again
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
        # When
        pages.give_back(held)
        pages.give_back([])
        # Then
        assert latest(transfers, CONFIG).state is TransferState.DONE
        assert latest(transfers, RUN_CONFIGS[0]).state is TransferState.CANCELLED


class UploadPagesContract(PageClaimContract, PageRecordContract, PageLeaseContract):
    """The whole suite; the fixtures are those of `TransferRepositoryContract`, and `pages`.

    `largest_page` is what a page holds at most: an adapter may claim one at a time.
    """
