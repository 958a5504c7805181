"""The use case that repairs what an audit has found. It deletes nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from artifact_pipeline.domain.catalog.audit_findings import AuditFinding, Repair, RepairOutcome
from artifact_pipeline.domain.catalog.audited import audited
from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.catalog.verdicts import Verdict
from artifact_pipeline.domain.each import outcome_of
from artifact_pipeline.domain.errors import (
    PipelineError,
    SqlUnavailableError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.checksums import SHA256
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.operator_actions import ActionName, NewAction
from artifact_pipeline.domain.model.ownership import Ownership
from artifact_pipeline.domain.model.requester import new_request_id
from artifact_pipeline.domain.model.transfers import (
    RECORDING_DIRECTIONS,
    Direction,
    Transfer,
    TransferState,
)
from artifact_pipeline.domain.ports.audit_trail import IAuditTrail
from artifact_pipeline.domain.ports.tombstones import ITombstones
from artifact_pipeline.domain.ports.transfers import IRequestedTransfers, IVerifications

_NO_ARTIFACT = "it is none of the job's artifacts"
_NOT_REPAIRED = {
    Verdict.CHANGED: "upload it again, or restore the recorded version",
    Verdict.MISPLACED: "`artifacts jobs uploads relocate` moves it",
    Verdict.FOREIGN: _NO_ARTIFACT,
    Verdict.ORPHANED: "`artifacts orphans delete --report FILE` deletes it",
    Verdict.UNREADABLE: "the store refuses the look",
}
"""Why other faults are left: each repair of them could replace or remove bytes."""


class _Left(Exception):  # noqa: N818 - no error, but the end of a repair
    """The finding is left as it is. Args: why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairFindings:
    """Repairs findings one by one, each after another look at SQL and then at the store.

    A lost artifact is requested again if its source is in the workspace. An object that no row
    names is recorded with its checksum. What is deleted on purpose, and what an active transfer is
    about to change, is left; so it can run beside uploads, and twice.

    Attributes:
        location: returns the permanent URL of a key.
        has_source: whether an artifact's source is in the workspace; None without a workspace.
        publish: sends the messages of transfers, and returns whether it did; the dispatch sends
            the messages of requests that are not sent here.
        workspace: the name of the one in which `has_source` looks.
        actor: who repairs.
        reason: why.
    """

    locate: LocateArtifacts
    transfers: IRequestedTransfers
    verifications: IVerifications
    tombstones: ITombstones
    trail: IAuditTrail
    location: Callable[[str], UploadLocation]
    has_source: Callable[[Artifact], bool] | None
    workspace: str | None
    publish: Callable[[Sequence[Transfer]], bool]
    actor: str
    reason: str | None = None

    def __call__(self, finding: AuditFinding) -> AuditFinding:
        """Return the finding with what was done about it.

        Raises:
            StoreUnavailableError, SqlUnavailableError: it does not answer; continue later.
        """
        outcome = outcome_of(partial(self._repaired, finding))
        if isinstance(outcome, StoreUnavailableError | SqlUnavailableError):
            raise outcome
        if isinstance(outcome, PipelineError):
            outcome = Repair(RepairOutcome.LEFT, str(outcome))
        return replace(finding, repair=outcome)

    def _repaired(self, finding: AuditFinding) -> Repair:
        verified = finding.verified
        if verified.artifact is None or verified.verdict in _NOT_REPAIRED:
            why = _NOT_REPAIRED.get(verified.verdict, _NO_ARTIFACT)
            return Repair(RepairOutcome.LEFT, why)
        try:
            self._refuse_deleted(verified.artifact)
            if verified.verdict is Verdict.ABANDONED:
                return self._send_again(verified.artifact, finding.transfer)
            if verified.verdict is Verdict.MISSING:
                return self._request(verified.artifact)
            return self._record(verified.artifact)
        except _Left as left:
            return Repair(RepairOutcome.LEFT, str(left))

    def _request(self, artifact: Artifact) -> Repair:
        """Request the upload of an artifact that is recorded and not in the store."""
        self._require_source(artifact)
        self._refuse_active(artifact)
        row = self.locate.artifacts.find(artifact)
        if row is None or self.locate.reader.find(self.locate.recorded(row).address) is not None:
            raise _Left("it changed since it was looked at: audit again")
        return self._ask(artifact, Verdict.MISSING, Direction.UPLOAD, RepairOutcome.REQUESTED)

    def _send_again(self, artifact: Artifact, abandoned: Transfer | None) -> Repair:
        """Send the message of an upload that no worker has."""
        if abandoned is None:
            raise _Left("a reconcile removes its parts after ARTIFACTS_ABANDONED_UPLOAD_HOURS")
        self._require_source(artifact)
        now = self.transfers.latest(artifact, Direction.UPLOAD)
        if now is None or (now.id, now.fence, now.state) != _position(abandoned):
            raise _Left("a worker has taken it since")
        with audited(self.trail, self._action(artifact, Verdict.ABANDONED)) as action:
            is_sent = self.publish([now])
            said = RepairOutcome.RESENT if is_sent else "no broker took its message"
            action.came_to(said, has_failures=not is_sent)
        if not is_sent:
            raise _Left("no broker took its message; the next dispatch sends it")
        return Repair(RepairOutcome.RESENT)

    def _record(self, artifact: Artifact) -> Repair:
        """Record an object that no row names."""
        # Read before the store: what is requested or recorded since then is noticed at the end.
        last = self.transfers.latest(artifact, Direction.UPLOAD)
        known = self.locate.artifacts.find(artifact)
        self._refuse_active(artifact)
        prefix = self.locate.placement.prefix(artifact)
        found = self._unrecorded(artifact, prefix, known)
        if found.sha256 is None:
            return self._have_read(artifact)
        stored = StoredArtifact(
            artifact=artifact, object=found.as_stored(found.sha256, found.checksum(SHA256))
        )
        with audited(self.trail, self._action(artifact, Verdict.UNRECORDED)) as action:
            self.verifications.record_found(stored, self.location(stored.object.key), known, last)
            action.came_to(RepairOutcome.RECORDED)
        return Repair(RepairOutcome.RECORDED)

    def _unrecorded(
        self, artifact: Artifact, prefix: JobS3Prefix, known: StoredArtifact | None
    ) -> BucketObject:
        rows = partial(self.locate.artifacts.of_job, artifact.job_id)
        if known is not None and Ownership(prefix=prefix, rows=rows).owns_row(known):
            raise _Left("a row names it, or another object, by now: verify the job")
        reader = self.locate.reader
        found = reader.find(ObjectAddress(reader.bucket, prefix.key(artifact)))
        if found is None:
            raise _Left("it is gone by now")
        if not found.size:
            raise _Left("it has no bytes")
        return found

    def _have_read(self, artifact: Artifact) -> Repair:
        """Have a worker read and record the object: the store has no SHA-256 of it."""
        last = self.transfers.latest(artifact, Direction.CONFIRM)
        if last is not None and last.state is TransferState.QUARANTINED:
            raise _Left("its confirmation was given up: `artifacts quarantine list` shows why")
        return self._ask(artifact, Verdict.UNRECORDED, Direction.CONFIRM, RepairOutcome.CONFIRMING)

    def _ask(
        self, artifact: Artifact, found: Verdict, direction: Direction, outcome: RepairOutcome
    ) -> Repair:
        """Request a transfer, and keep the action in the audit trail."""
        with audited(self.trail, self._action(artifact, found)) as action:
            # The source was found in this workspace; the last upload may be of another host.
            workspace = (self.workspace or "") if direction is Direction.UPLOAD else None
            asked = self.transfers.request(
                artifact, direction, new_request_id(None), self.actor, workspace=workspace
            )
            self.publish([asked])
            action.came_to(outcome)
        return Repair(outcome)

    def _require_source(self, artifact: Artifact) -> None:
        if self.has_source is None:
            raise _Left("ARTIFACTS_WORKSPACE is not set here, so its source cannot be looked for")
        if not self.has_source(artifact):
            raise _Left("its source is not in the workspace")

    def _refuse_active(self, artifact: Artifact) -> None:
        for direction in RECORDING_DIRECTIONS:
            latest = self.transfers.latest(artifact, direction)
            if latest is not None and latest.state.is_active:
                raise _Left(f"a transfer of it is active: {direction}")

    def _refuse_deleted(self, artifact: Artifact) -> None:
        directory = self.locate.placement.prefix(artifact).directory
        for tombstone in self.tombstones.of_job(artifact.job_id):
            if tombstone.covers_in(artifact, directory):
                raise _Left(f"it was deleted by {tombstone.deleted_by}")

    def _action(self, artifact: Artifact, found: Verdict) -> NewAction:
        named = {"kind": artifact.kind.value, "run_id": artifact.run_id, "found": found.value}
        return NewAction(
            name=ActionName.AUDIT_REPAIR,
            actor=self.actor,
            reason=self.reason,
            job_id=artifact.job_id,
            target={name: value for name, value in named.items() if value is not None},
        )


def _position(transfer: Transfer) -> tuple[int, int, TransferState]:
    return transfer.id, transfer.fence, transfer.state
