"""Jobs: the search, and a job's directory as a tree."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact, listing_order
from artifact_pipeline.domain.model.earlier_transfers import is_of_job
from artifact_pipeline.domain.model.keys import JobS3Prefix, file_name
from artifact_pipeline.domain.model.legal_hold import LegalHold
from artifact_pipeline.domain.model.ownership import Ownership
from artifact_pipeline.domain.model.tombstones import Tombstone
from artifact_pipeline.domain.model.transfers import Transfer, TransferState
from artifact_pipeline.worker.sql.job_pages import FoundJobs, JobPart, ListedJob
from artifact_pipeline.worker.web.api.models.jobs import (
    ArtifactNode,
    Hold,
    Job,
    JobRow,
    JobsPage,
    NodeState,
    RunNode,
)
from artifact_pipeline.worker.web.reads.transfers import transfer_node

_LATE_AFTER = timedelta(days=1)
_STATES = {
    TransferState.REQUESTED: NodeState.REQUESTED,
    TransferState.RUNNING: NodeState.RUNNING,
    TransferState.WAITING: NodeState.WAITING,
    TransferState.QUARANTINED: NodeState.QUARANTINED,
}


def jobs_page(found: FoundJobs) -> JobsPage:
    """Return a page of the search."""
    return JobsPage(
        jobs=[_row(each) for each in found.jobs], next=found.before, searched_to=found.searched_to
    )


def _row(listed: ListedJob) -> JobRow:
    job = listed.job
    return JobRow(
        job_id=job.id,
        user_id=job.user_id,
        status=job.status,
        created_at=job.created_at,
        tags=listed.tags,
        directory=JobS3Prefix.from_job(job).directory,
        artifacts=listed.artifacts,
        size=listed.size,
        active=listed.active,
        quarantined=listed.quarantined,
    )


def job_answer(
    part: JobPart, now: datetime, tombstones: Sequence[Tombstone], hold: LegalHold | None
) -> Job:
    """Return a page of a job.

    Args:
        part: what SQL has.
        now: by the database's clock.
        tombstones: of the job's id.
        hold: the job's legal hold.
    """
    job = part.job
    prefix = JobS3Prefix.from_job(job)
    ownership = Ownership(prefix=prefix, rows=lambda: part.rows)
    foreign = {row.artifact for row in part.rows if not ownership.owns_row(row)}

    def is_own(transfer: Transfer) -> bool:
        return is_of_job(transfer, job.created_at, foreign)

    deleted = [each for each in tombstones if each.directory == prefix.directory]
    tree = _Tree(part, now, foreign, {t.artifact: t for t in part.last if is_own(t)}, deleted)
    nodes = tree.nodes()
    own = [each for each in part.transfers if is_own(each)]
    return Job(
        at=now,
        job_id=job.id,
        user_id=job.user_id,
        status=job.status,
        created_at=job.created_at,
        tags=part.tags,
        directory=prefix.directory,
        hold=hold and Hold(held_at=hold.held_at, held_by=hold.held_by, reason=hold.reason),
        artifacts=[node for node in nodes if node.run_id is None],
        runs=[
            RunNode(
                run_id=run,
                status=status,
                artifacts=[node for node in nodes if node.run_id == run],
            )
            for run, status in part.statuses.items()
        ],
        next_run=part.next_run,
        transfers=[transfer_node(each, now) for each in own],
        next_transfer=part.next_transfer,
        earlier_transfers=len(part.transfers) - len(own),
    )


@dataclass(frozen=True, slots=True)
class _Tree:
    """The files of a job's directory."""

    part: JobPart
    now: datetime
    foreign: Collection[Artifact]
    last: Mapping[Artifact, Transfer]
    deleted: Sequence[Tombstone]

    def nodes(self) -> list[ArtifactNode]:
        rows = {row.artifact: row for row in self.part.rows}
        artifacts = sorted({*rows, *self.last}, key=listing_order)
        found = [self._node(each, rows.get(each), self.last.get(each)) for each in artifacts]
        return [node for node in found if node is not None]

    def _node(
        self, artifact: Artifact, row: StoredArtifact | None, last: Transfer | None
    ) -> ArtifactNode | None:
        if row is not None:
            return self._stored(row, last)
        state = self._absent(artifact, last)
        if state is None:
            return None
        return ArtifactNode(
            kind=artifact.kind,
            run_id=artifact.run_id,
            name=file_name(artifact),
            state=state,
            reason=last and last.reason_code,
            is_zip=artifact.kind.is_zip,
            active=last is not None and last.state.is_active,
        )

    def _absent(self, artifact: Artifact, last: Transfer | None) -> NodeState | None:
        if last is not None and last.state in _STATES:
            return _STATES[last.state]
        is_deleted = any(each.covers(artifact) for each in self.deleted)
        return NodeState.DELETED if is_deleted else None

    def _stored(self, row: StoredArtifact, last: Transfer | None) -> ArtifactNode:
        stored, artifact = row.object, row.artifact
        is_active = last is not None and last.state.is_active
        late_from = self.part.job.created_at + _LATE_AFTER
        return ArtifactNode(
            kind=artifact.kind,
            run_id=artifact.run_id,
            name=file_name(artifact),
            state=NodeState.FOREIGN if artifact in self.foreign else NodeState.STORED,
            reason=last.reason_code if last is not None and is_active else None,
            key=stored.key,
            scheme=row.scheme,
            size=stored.size,
            stored_at=row.recorded_at,
            age_seconds=(self.now - row.recorded_at).total_seconds(),
            is_late=row.recorded_at > late_from,
            sha256=stored.sha256,
            checksum=stored.s3_checksum or None,
            storage_class=stored.tier_name,
            restored_until=self.part.restored_until.get(stored.key),
            links_left_out=row.links_left_out,
            is_zip=artifact.kind.is_zip,
            active=is_active,
        )
