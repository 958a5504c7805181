"""Uploads that no worker continues, in the store and in SQL, among the findings of an audit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from artifact_pipeline.domain.catalog.audit_findings import AuditFinding
from artifact_pipeline.domain.catalog.placement import Placement
from artifact_pipeline.domain.catalog.verdicts import Verdict, VerifiedArtifact
from artifact_pipeline.domain.errors import PermanentError, UnsupportedByStoreError
from artifact_pipeline.domain.model.abandoned import is_abandoned
from artifact_pipeline.domain.model.artifacts import OpenUpload
from artifact_pipeline.domain.model.audit_cursor import AuditCursor
from artifact_pipeline.domain.model.keys import ROOT, artifact_at, job_directory, job_of
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.transfers import Transfer, TransferState
from artifact_pipeline.domain.ports.audit import IAuditedRecords
from artifact_pipeline.domain.ports.object_store import IObjectStore
from artifact_pipeline.domain.ports.transfers import ITransferRepository

_PAGE = 500


def abandoned_among(
    page: Sequence[OpenUpload], transfers: ITransferRepository, after: timedelta
) -> Iterator[OpenUpload]:
    """Yield the unfinished uploads that no transfer will continue. Args: as `is_abandoned`."""
    ids = [upload.upload_id for upload in page]
    owners = {transfer.upload_id: transfer for transfer in transfers.with_uploads(ids)}
    now = transfers.now()
    for upload in page:
        if is_abandoned(upload, owners.get(upload.upload_id), now, after):
            yield upload


@dataclass(frozen=True, slots=True, kw_only=True)
class FindAbandoned:
    """Finds unfinished uploads that no transfer will continue, and uploads that are overdue.

    Attributes:
        bucket: of the store.
        after: for how long nothing must have happened.
        pace: as `AuditStore.pace`.
    """

    store: IObjectStore
    transfers: ITransferRepository
    records: IAuditedRecords
    placement: Placement
    bucket: str
    after: timedelta
    pace: Callable[[int], None] = lambda _requests: None

    def __call__(
        self, cursor: AuditCursor, job_ids: Sequence[int] = ()
    ) -> Iterator[list[AuditFinding]]:
        """Yield what is abandoned. The unfinished uploads are one page, whatever their number.

        It costs one request for each thousand of them.

        Args:
            cursor: says afterwards how far this is.
            job_ids: only of these jobs; empty for all.
        """
        if not cursor.is_past_uploads:
            prefixes = [job_directory(job_id) for job_id in job_ids] or [ROOT]
            findings = [each for prefix in prefixes for each in self._in_store(prefix)]
            cursor.is_past_uploads = True
            yield findings
        while overdue := self.records.overdue_uploads(
            self.after, after=cursor.after_transfer, limit=_PAGE, job_ids=job_ids
        ):
            cursor.after_transfer = overdue[-1].id
            yield [self._overdue(transfer) for transfer in overdue]

    def _in_store(self, prefix: str) -> Iterator[AuditFinding]:
        uploads = self.store.open_uploads(prefix)
        self.pace(1)
        try:
            while page := list(islice(uploads, _PAGE)):
                abandoned = abandoned_among(page, self.transfers, self.after)
                yield from map(self._unfinished, abandoned)
        except UnsupportedByStoreError:
            return  # a store that does not list them has none that could be found
        except PermanentError as error:
            said = f"its unfinished uploads: {error}"
            yield self._finding(None, prefix, Verdict.UNREADABLE, said)

    def _unfinished(self, upload: OpenUpload) -> AuditFinding:
        said = f"an unfinished upload since {upload.initiated_at:%Y-%m-%dT%H:%M:%SZ}"
        return self._finding(job_of(upload.key), upload.key, Verdict.ABANDONED, said)

    def _overdue(self, transfer: Transfer) -> AuditFinding:
        artifact = transfer.artifact
        is_running = transfer.state is TransferState.RUNNING
        since = transfer.lease_expires_at if is_running else transfer.next_attempt_at
        what = "its upload has no worker" if is_running else "its upload is due, and not claimed,"
        return AuditFinding(
            artifact.job_id,
            VerifiedArtifact(
                verdict=Verdict.ABANDONED,
                address=ObjectAddress(self.bucket, self._key(transfer)),
                artifact=artifact,
                error=f"{what} since {since:%Y-%m-%dT%H:%M:%SZ}",
            ),
            transfer=transfer,
        )

    def _key(self, transfer: Transfer) -> str:
        try:
            return self.placement.key(transfer.artifact)
        except PermanentError:
            return job_directory(transfer.artifact.job_id)  # its job does not exist any more

    def _finding(self, job_id: int | None, key: str, verdict: Verdict, said: str) -> AuditFinding:
        return AuditFinding(
            job_id,
            VerifiedArtifact(
                verdict=verdict,
                address=ObjectAddress(self.bucket, key),
                artifact=artifact_at(key),
                error=said,
            ),
        )
