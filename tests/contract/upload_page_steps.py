"""What the suites of pages are written with."""

from collections.abc import Sequence
from datetime import timedelta

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Claim
from artifact_pipeline.domain.ports.transfer_pages import (
    ClaimedUpload,
    IUploadPages,
    StoredUpload,
)
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from tests.contract.transfer_steps import (
    CONFIG,
    HOUR,
    LOCATION,
    UPLOAD,
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
    while page := pages.claim_of_job(
        12, kinds=list(ArtifactKind), limit=100, owner="worker-1", lease=lease
    ):
        uploads += page
    return uploads


def claims(uploads: Sequence[ClaimedUpload]) -> list[Claim]:
    return [upload.claim for upload in uploads]


def artifacts_of(uploads: Sequence[ClaimedUpload]) -> list[Artifact]:
    return [upload.claim.artifact for upload in uploads]


def stored_upload(claim: Claim) -> StoredUpload:
    return StoredUpload(claim=claim, stored=stored_artifact(claim.artifact), location=LOCATION)
