"""Periodic cleanup of unconfirmed and abandoned uploads."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice

from artifact_pipeline.domain.catalog.abandoned import abandoned_among
from artifact_pipeline.domain.each import for_each
from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.model.artifacts import OpenUpload
from artifact_pipeline.domain.model.keys import ROOT
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.ports.object_store import IObjectStore
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from artifact_pipeline.domain.transfers.verification import Outcome

logger = logging.getLogger(__name__)

_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileSummary:
    """What became of the unfinished uploads, and of the uploads by URL.

    Attributes:
        expected: unconfirmed uploads that are looked for now.
        expired: members of snapshots that were not started in time.
        verified: transfers after whose end SQL and the store agree.
        recorded: transfers whose object SQL had not recorded, and now has.
        requested: those for which another transfer was requested that makes them agree.
        left: those that the next run looks at again.
        pruned: rows of the pipeline's own history that were deleted.
    """

    aborted: int = 0
    failed: int = 0
    expected: int = 0
    expired: int = 0
    verified: int = 0
    recorded: int = 0
    requested: int = 0
    left: int = 0
    pruned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    transfers: ITransferRepository
    abort_abandoned: "AbortAbandonedUploads"
    delete_expired: Callable[[], int]
    verify_writes: Callable[[], Mapping[Outcome, int]]
    prune: Callable[[], int] = int

    def __call__(self) -> ReconcileSummary:
        """Verify writes of unknown outcome, look for unconfirmed uploads, remove what is abandoned.

        What has ended long ago is pruned, if that is configured.

        Raises:
            StoreUnavailableError: the store is away; the next run continues.
        """
        expected = self.transfers.make_untried_due(Direction.CONFIRM)
        expired = self.delete_expired()
        # Do this before the uploads, whose listing may be refused.
        outcomes = {outcome.value: number for outcome, number in self.verify_writes().items()}
        # Prune before the uploads too: an unavailable store must not let the tables grow.
        pruned = self.prune()
        aborted = self.abort_abandoned()
        return replace(aborted, expected=expected, expired=expired, pruned=pruned, **outcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortAbandonedUploads:
    """Aborts the unfinished uploads that no transfer will go on with.

    Uploads of cancelled transfers go at once. Uploads of quarantined ones, and uploads
    that no transfer knows of, go after a limit: an operator may yet fix the cause, and an upload is
    known to the store a moment before it is to SQL.

    Attributes:
        abandoned_after: the limit.
    """

    transfers: ITransferRepository
    store: IObjectStore
    abandoned_after: timedelta

    def __call__(self) -> ReconcileSummary:
        """Look at every open upload below the jobs' directories.

        One that the store refuses to abort does not stop the others.

        Raises:
            StoreUnavailableError: the store is away; the next run continues.
        """
        uploads = self.store.open_uploads(ROOT)
        aborted = failed = 0
        while page := list(islice(uploads, _PAGE)):
            abandoned = abandoned_among(page, self.transfers, self.abandoned_after)
            for upload, outcome in for_each(self._abort, abandoned):
                if isinstance(outcome, StoreUnavailableError):
                    raise outcome
                if outcome is None:
                    aborted += 1
                    continue
                logger.warning("%s: its upload is still open: %s", upload.key, outcome)
                failed += 1
        return ReconcileSummary(aborted=aborted, failed=failed)

    def _abort(self, upload: OpenUpload) -> None:
        self.store.abort(upload.key, upload.upload_id)
