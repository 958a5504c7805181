"""The claims of `IUploadPages`."""

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.ports.transfer_pages import (
    IUploadPages,
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
    stored_artifact,
)
from tests.contract.upload_page_steps import (
    RUN_CONFIGS,
    SMALL,
    UNKNOWN,
    all_of_job,
    artifacts_of,
    page_of,
    request,
)


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
        transfers.release_leases("host:1")
        request(transfers, CONFIG)
        # Then none of them is part of a page, whether it was asked for or not
        assert [page_of(pages, artifact) for artifact in RUN_CONFIGS[:3]] == [[], [], []]
        assert artifacts_of(page_of(pages)) == [CONFIG]
        assert (
            pages.claim_of_job(12, kinds=list(ArtifactKind), limit=9, owner="worker-1", lease=HOUR)
            == []
        )
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

    def test_a_message_has_nothing_to_do_while_its_upload_is_held_and_once_it_is_done(
        self, pages: IUploadPages, transfers: ITransferRepository
    ) -> None:
        # Given one of each state, of which the third has a worker that died
        request(transfers, CONFIG, *RUN_CONFIGS[:4])
        claimed(transfers, RUN_CONFIGS[0])
        claimed(transfers, RUN_CONFIGS[1], lease=AT_ONCE)
        transfers.record(
            claimed(transfers, RUN_CONFIGS[2]), stored_artifact(RUN_CONFIGS[2]), LOCATION
        )
        transfers.wait(claimed(transfers, RUN_CONFIGS[3]), StoreUnavailableError(), HOUR)
        # Then
        states = [pages.settled(each, str(each)) for each in [CONFIG, *RUN_CONFIGS[:4], UNKNOWN]]
        assert states == [None, TransferState.RUNNING, None, TransferState.DONE, None, None]
        # And an id says nothing about another artifact
        assert pages.settled(RUN_CONFIGS[0], str(RUN_CONFIGS[2])) is None

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
        page = pages.claim_of_job(
            12, kinds=list(ArtifactKind), limit=2, owner="worker-1", lease=HOUR
        )
        # Then
        assert artifacts_of(page) == [RESULTS, CONFIG][:largest_page]
        assert artifacts_of(page + all_of_job(pages)) == [RESULTS, CONFIG, LOGS[0]]
        assert latest(transfers, UNKNOWN).state is TransferState.REQUESTED

    def test_a_page_of_a_job_holds_no_other_kinds(
        self, pages: IUploadPages, transfers: ITransferRepository
    ) -> None:
        # Given
        request(transfers, RESULTS, CONFIG, LOGS[0])
        # When
        page = pages.claim_of_job(12, kinds=SMALL, limit=9, owner="worker-1", lease=HOUR)
        # Then
        assert artifacts_of(page) == [CONFIG]
        assert artifacts_of(all_of_job(pages)) == [RESULTS, LOGS[0]]
