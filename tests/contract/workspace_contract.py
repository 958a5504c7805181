"""The transfer contract, continued: only a worker that sees the files has the work."""

import pytest

from artifact_pipeline.domain.errors import SourceMissingError, StoreUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.ports.transfer_pages import IUploadPages
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from tests.contract.transfer_steps import (
    AT_ONCE,
    CONFIG,
    HOUR,
    RESULTS,
    RUN_OUT,
    UPLOAD,
    claim_of,
    claimed,
    latest,
    published,
)
from tests.contract.upload_page_steps import RUN_CONFIGS, SMALL, all_of_job, artifacts_of, page_of

A, B = "host-a", "host-b"
OnA = tuple[ITransferRepository, IUploadPages]
WITHOUT_FILES = (Direction.CONFIRM, Direction.RELOCATE)


def requested(
    transfers: ITransferRepository, *artifacts: Artifact, workspace: str | None = None
) -> None:
    for artifact in artifacts:
        transfers.request(artifact, UPLOAD, str(artifact), workspace=workspace)


class WorkspaceContract:
    def test_a_request_keeps_its_workspace(self, transfers: ITransferRepository) -> None:
        assert transfers.request(RESULTS, UPLOAD, "a", workspace=A).workspace == A
        assert transfers.request(CONFIG, UPLOAD, "a").workspace is None
        # Then a second request returns the active one, wherever that is done
        assert transfers.request(RESULTS, UPLOAD, "b", workspace=B).workspace == A
        assert latest(transfers).workspace == A

    def test_only_a_worker_of_the_workspace_claims(
        self, transfers: ITransferRepository, on_host_a: OnA
    ) -> None:
        # Given one request for host A, and one for the default workspace
        transfers.request(RESULTS, UPLOAD, "a", workspace=A)
        transfers.request(CONFIG, UPLOAD, "a")
        # Then each is claimed by its own worker, and the wrong one changes nothing
        assert claim_of(transfers, RESULTS) is None
        assert claim_of(on_host_a[0], CONFIG) is None
        assert latest(transfers).state is TransferState.REQUESTED
        assert claim_of(on_host_a[0], RESULTS) is not None
        assert claim_of(transfers, CONFIG) is not None

    def test_an_expired_lease_is_taken_over_in_the_workspace_only(
        self, transfers: ITransferRepository, on_host_a: OnA
    ) -> None:
        # Given a worker of host A that has died
        transfers.request(RESULTS, UPLOAD, "a", workspace=A)
        claimed(on_host_a[0], lease=RUN_OUT)
        # Then
        assert claim_of(transfers) is None
        assert claim_of(on_host_a[0]) is not None

    def test_an_unknown_request_is_recorded_for_the_workspace_of_its_message(
        self, transfers: ITransferRepository, on_host_a: OnA
    ) -> None:
        # When a bare message for host A arrives at a worker of the default workspace
        claim = transfers.claim(RESULTS, UPLOAD, "a", owner="w", lease=HOUR, workspace=A)
        # Then it is recorded, and host A does it
        assert claim is None
        assert latest(transfers).workspace == A
        assert claim_of(on_host_a[0]) is not None

    @pytest.mark.parametrize("direction", WITHOUT_FILES)
    def test_what_needs_no_files_is_claimed_anywhere(
        self, transfers: ITransferRepository, on_host_a: OnA, direction: Direction
    ) -> None:
        asked = transfers.request(CONFIG, direction, "a")
        claim = on_host_a[0].claim(CONFIG, direction, "a", owner="w", lease=HOUR, workspace=A)
        assert claim is not None
        assert asked.workspace is None

    def test_an_upload_is_asked_for_again_where_the_last_one_was(
        self, transfers: ITransferRepository, on_host_a: OnA
    ) -> None:
        # Given an upload that ended on host A
        transfers.request(RESULTS, UPLOAD, "a", workspace=A)
        on_host_a[0].quarantine(claimed(on_host_a[0]), SourceMissingError())
        # Then a repair asks host A, and a download goes where it is asked for
        assert transfers.request(RESULTS, UPLOAD, "b").workspace == A
        assert transfers.request(RESULTS, Direction.DOWNLOAD, "c").workspace is None
        into_b = transfers.request(CONFIG, Direction.DOWNLOAD, "c", workspace=B)
        assert into_b.workspace == B

    def test_each_page_is_of_one_workspace(
        self,
        transfers: ITransferRepository,
        pages: IUploadPages,
        on_host_a: OnA,
        largest_page: int,
    ) -> None:
        # Given uploads of both workspaces
        requested(transfers, CONFIG, RUN_CONFIGS[0])
        requested(transfers, *RUN_CONFIGS[1:], workspace=A)
        # Then a message of the other workspace claims nothing
        assert page_of(pages, RUN_CONFIGS[1]) == []
        # And a page, or the uploads of a job, leave those of the other workspace out
        assert artifacts_of(page_of(pages, CONFIG)) == [CONFIG, RUN_CONFIGS[0]][:largest_page]
        of_a = on_host_a[1].claim_of_job(12, kinds=SMALL, limit=100, owner="w", lease=HOUR)
        assert artifacts_of(of_a) == RUN_CONFIGS[1:][:largest_page]
        assert all(each.claim.attempt == 1 for each in of_a)
        assert artifacts_of(all_of_job(pages)) == [CONFIG, RUN_CONFIGS[0]][largest_page:]

    def test_the_dispatch_publishes_each_workspace_by_itself(
        self, transfers: ITransferRepository
    ) -> None:
        # Given
        requested(transfers, CONFIG)
        requested(transfers, RESULTS, workspace=A)
        requested(transfers, RUN_CONFIGS[0], workspace=B)
        # Then
        assert sorted(transfers.waiting_workspaces()) == [A, B]
        for workspace, artifact in ((None, CONFIG), (A, RESULTS), (B, RUN_CONFIGS[0])):
            sent = published(transfers, workspace=workspace)
            assert [(each.artifact, each.workspace) for each in sent] == [(artifact, workspace)]

    def test_only_what_may_be_claimed_makes_a_workspace_wait(
        self, transfers: ITransferRepository, on_host_a: OnA
    ) -> None:
        # Given a transfer of host A that is done, and one that runs
        on_a, _ = on_host_a
        requested(transfers, RESULTS, CONFIG, workspace=A)
        on_a.finish(claimed(on_a, CONFIG, str(CONFIG)), 0)
        running = claimed(on_a, RESULTS, str(RESULTS))
        assert transfers.waiting_workspaces() == []
        # When its attempt fails, then it waits there until it is due
        on_a.wait(running, StoreUnavailableError(), AT_ONCE)
        assert transfers.waiting_workspaces() == [A]
        (sent,) = published(transfers, workspace=A)
        assert (sent.artifact, sent.workspace) == (RESULTS, A)
