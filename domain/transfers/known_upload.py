"""Handling an upload whose rows were read with its claim."""

from artifact_pipeline.domain.catalog.placement import key_by_rows
from artifact_pipeline.domain.model.transfers import Claim
from artifact_pipeline.domain.ports.transfer_pages import ClaimedUpload
from artifact_pipeline.domain.transfers.lease import LeaseKeeper
from artifact_pipeline.domain.transfers.outcomes import Stored
from artifact_pipeline.domain.transfers.upload import UploadArtifact


class KnownUpload:
    """The handler of one claimed upload, by the rows that were read with its claim."""

    def __init__(self, upload: UploadArtifact, rows: ClaimedUpload) -> None:
        self._upload = upload
        self._rows = rows

    def handle(self, claim: Claim, keeper: LeaseKeeper) -> Stored:
        key = key_by_rows(claim.artifact, self._rows.job, self._rows.run)
        return self._upload.handle_known(claim, keeper, key, self._rows.stored)

    def stopped(self, claim: Claim, keeper: LeaseKeeper, *, cancelled: bool) -> None:
        # Use what SQL has now: the given rows are of the time of the claim.
        self._upload.stopped(claim, keeper, cancelled=cancelled)
