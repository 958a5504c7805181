"""The use case that deletes a job's artifacts, for good or until they are requested again."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from artifact_pipeline.domain.catalog.deletion_plan import (
    DeletedObject,
    DeletionPlan,
    DeletionRequest,
    plan_deletion,
)
from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.catalog.placement import kept_locations
from artifact_pipeline.domain.errors import ArtifactDeletedError
from artifact_pipeline.domain.model.object_versions import ObjectVersion
from artifact_pipeline.domain.model.tombstones import DeletionScope
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.domain.ports.legal_holds import ILegalHolds, refuse_held
from artifact_pipeline.domain.ports.object_versions import IObjectVersions
from artifact_pipeline.domain.ports.tombstones import ITombstones
from artifact_pipeline.domain.ports.transfers import ITransferRepository

_REQUEST = 1000
"""Objects that one request deletes; between two a hold may be set."""
_ROUNDS = 3
"""Deletions of what a listing shows, before what is left is reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionSummary:
    """What a deletion came to.

    Attributes:
        deleted: objects and versions that are gone.
        left: those that the store refused, and those that were kept, with the reason.
        cancelled: transfers that were active.
    """

    deleted: Sequence[DeletedObject] = ()
    left: Sequence[DeletedObject] = ()
    cancelled: Sequence[Transfer] = ()

    @property
    def is_complete(self) -> bool:
        return not self.left

    @property
    def interrupted(self) -> int:
        """How many transfers an attempt may have been under way for, and may yet write."""
        return sum(transfer.unverified_since is not None for transfer in self.cancelled)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteArtifacts:
    """Deletes artifacts of a job.

    The order makes it safe beside uploads, beside another deletion, and after a kill:

    1. Tombstones. From here on no transfer of the artifacts begins, and nothing is recorded.
    2. Active transfers are cancelled. One that was just recording has either ended before, so that
       its row and its object are found, or records nothing.
    3. What a listing shows is deleted, until a listing shows nothing.
    4. The rows go, and the tombstones are finished.

    Attributes:
        pause: waits so many seconds before what was refused is tried again.
    """

    locate: LocateArtifacts
    versions: IObjectVersions
    transfers: ITransferRepository
    tombstones: ITombstones
    holds: ILegalHolds
    pause: Callable[[float], object] = field(default=time.sleep)

    def plan(self, request: DeletionRequest) -> DeletionPlan:
        """Return what would be deleted. Costs and errors: as `plan_deletion`.

        Raises:
            LegalHoldError: the job is on hold.
        """
        refuse_held(self.holds, request.job_id)
        return plan_deletion(request, self.locate, self.versions)

    def __call__(
        self, request: DeletionRequest, deleted_by: str, reason: str | None
    ) -> DeletionSummary:
        """Delete. Given again, it continues what was interrupted.

        Args:
            request: what.
            deleted_by: who.
            reason: why.

        Raises:
            LegalHoldError: the job is on hold, perhaps since a moment ago.
            ObjectReplacedError: an artifact is not as expected. Nothing is deleted.
            UnknownJobError, UnknownRunError, RunOfAnotherJobError: there is no such job or run.
            StoreUnavailableError: the store is away. The tombstones stay.
        """
        placement = self.locate.placement
        placement.check(request.job_id, request.run_id)
        scopes = request.scopes(placement.prefix_of(request.job_id).directory)
        self.tombstones.lay(
            scopes,
            deleted_by=deleted_by,
            reason=reason,
            all_versions=request.all_versions,
            expected=[*request.expected.values()],
        )
        cancelled = [transfer for scope in scopes for transfer in self._cancelled(scope)]
        deleted, plan, left = self._emptied(request)
        self._clear(scopes, plan, left)
        return DeletionSummary(deleted=deleted, left=left, cancelled=cancelled)

    def _cancelled(self, scope: DeletionScope) -> Sequence[Transfer]:
        error = ArtifactDeletedError()
        return self.transfers.cancel(scope.job_id, scope.run_id, scope.kind, error)

    def _emptied(
        self, request: DeletionRequest
    ) -> tuple[list[DeletedObject], DeletionPlan, list[DeletedObject]]:
        """Delete what listings show; return that, the last listing, and what is left of it."""
        sent: dict[ObjectVersion, DeletedObject] = {}
        refused: dict[ObjectVersion, str] = {}
        plan = plan_deletion(request, self.locate, self.versions)
        for number in range(_ROUNDS):
            doomed = plan.doomed
            if not doomed:
                break
            if refused:
                self.pause(float(number))
            sent |= {each.version: each for each in doomed}
            refused = self._delete(request.job_id, [each.version for each in doomed])
            plan = plan_deletion(request, self.locate, self.versions)
        left = [_left(each, refused) for each in plan.objects]
        remaining = {each.version for each in left}
        return [each for at, each in sent.items() if at not in remaining], plan, left

    def _delete(self, job_id: int, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, str]:
        refused: dict[ObjectVersion, str] = {}
        for page in _pages(versions):
            refuse_held(self.holds, job_id)
            refused |= self.versions.delete(page)
        return refused

    def _clear(
        self, scopes: Sequence[DeletionScope], plan: DeletionPlan, left: Sequence[DeletedObject]
    ) -> None:
        there = {each.version.address for each in left if not each.version.is_marker}
        rows = [row for row in plan.rows if self.locate.recorded(row).address not in there]
        gone = {artifact for artifact, address in plan.kept.items() if address not in there}
        job_id = scopes[0].job_id
        placement = self.locate.placement
        locations = kept_locations(placement.jobs.get(job_id), placement.runs.of_job(job_id))
        self.tombstones.clear(
            scopes,
            rows,
            {artifact: url for artifact, url in locations.items() if artifact in gone},
            is_complete=not left,
        )


def _left(found: DeletedObject, refused: dict[ObjectVersion, str]) -> DeletedObject:
    if found.kept_for is not None:
        return found
    return replace(found, kept_for=refused.get(found.version, "the store still lists it"))


def _pages(versions: Sequence[ObjectVersion]) -> Iterator[Sequence[ObjectVersion]]:
    for start in range(0, len(versions), _REQUEST):
        yield versions[start : start + _REQUEST]
