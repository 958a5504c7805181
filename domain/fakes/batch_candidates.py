"""What a batch may freeze, in memory."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from artifact_pipeline.domain.errors import ReasonCode
from artifact_pipeline.domain.fakes.artifacts import InMemoryArtifacts
from artifact_pipeline.domain.fakes.platform import InMemoryJobs, InMemoryRuns
from artifact_pipeline.domain.fakes.selections import Tags, fits_artifact, fits_end, fits_job
from artifact_pipeline.domain.fakes.transfers import InMemoryTransfers
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.batches import (
    BATCH_DIRECTIONS,
    REQUEST_DIRECTIONS,
    BatchFilter,
    Listed,
)
from artifact_pipeline.domain.model.earlier_transfers import is_of_job
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.ownership import Ownership
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An artifact and a direction, with the last transfer's end; None if there was none."""

    artifact: Artifact
    direction: Direction
    user_id: int
    state: TransferState | None = None
    reason: ReasonCode | None = None
    size: int | None = None
    workspace: str | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """What fits a filter among these rows.

    Attributes: `workspace` is the name of the one for what was never requested.
    """

    transfers: InMemoryTransfers
    jobs: InMemoryJobs
    runs: InMemoryRuns
    artifacts: InMemoryArtifacts
    tags: Tags
    workspace: str | None = None

    def __call__(self, filters: BatchFilter, lines: Collection[Listed]) -> list[Candidate]:
        """Return the candidates, in no order."""
        found: list[Candidate] = []
        if not filters.never_requested:
            found.extend(self._last(filters, lines))
        if filters.never_requested or (filters.listed is not None and not filters.of_last_transfer):
            found.extend(self._never_requested(filters, lines))
        return found

    def _last(self, filters: BatchFilter, lines: Collection[Listed]) -> Iterator[Candidate]:
        last = {(row.artifact, row.direction): row for row in self.transfers.rows.values()}
        for (artifact, direction), transfer in last.items():
            job = self.jobs.find_by_id(artifact.job_id)
            if (
                job is not None
                and direction in (filters.directions or BATCH_DIRECTIONS)
                and self._fits(filters, job, artifact)
                and (filters.listed is None or is_listed(artifact, lines))
                and (not filters.states or transfer.state in filters.states)
                and fits_end(filters, transfer, self.transfers.now())
            ):
                yield Candidate(
                    artifact=artifact,
                    direction=direction,
                    user_id=job.user_id or 0,
                    state=transfer.state,
                    reason=transfer.reason_code,
                    size=self._size(job, artifact),
                    workspace=transfer.workspace,
                )

    def _never_requested(
        self, filters: BatchFilter, lines: Collection[Listed]
    ) -> Iterator[Candidate]:
        if not filters.never_requested:
            # A line with only a job or run means its requested artifacts, which are not all.
            lines = [line for line in lines if line.kind is not None]
        for direction in filters.directions or (Direction.UPLOAD,):
            for job, artifact in self._all(filters.kinds or tuple(ArtifactKind)):
                size = self._size(job, artifact)
                is_asked = filters.include_stored or not filters.never_requested
                is_stored = direction is Direction.UPLOAD and size is not None and not is_asked
                if (
                    self._fits(filters, job, artifact)
                    and (filters.listed is None or is_listed(artifact, lines))
                    and not is_stored
                    and not any(self._earlier(filters, job, artifact, direction))
                ):
                    yield Candidate(
                        artifact=artifact,
                        direction=direction,
                        user_id=job.user_id or 0,
                        size=size,
                        workspace=self.workspace,
                    )

    def _all(self, kinds: Collection[ArtifactKind]) -> Iterator[tuple[Job, Artifact]]:
        for job in self.jobs.rows.values():
            runs = [run.id for run in self.runs.of_job(job.id)]
            for kind in kinds:
                for run_id in runs if kind.belongs_to_run else [None]:
                    yield job, Artifact(kind, job.id, run_id)

    def _earlier(
        self, filters: BatchFilter, job: Job, artifact: Artifact, direction: Direction
    ) -> Iterator[Transfer]:
        of_artifact = [row for row in self.transfers.rows.values() if row.artifact == artifact]
        if filters.never_requested:
            foreign = set() if self._own_row(job, artifact) else {artifact}
            of_artifact = [row for row in of_artifact if is_of_job(row, job.created_at, foreign)]
        elif not filters.directions:
            yield from of_artifact
            return
        yield from (row for row in of_artifact if row.direction in REQUEST_DIRECTIONS[direction])

    def _fits(self, filters: BatchFilter, job: Job, artifact: Artifact) -> bool:
        return fits_artifact(filters, artifact) and fits_job(filters, job, self.tags)

    def _size(self, job: Job, artifact: Artifact) -> int | None:
        row = self._own_row(job, artifact)
        return None if row is None else row.object.size

    def _own_row(self, job: Job, artifact: Artifact) -> StoredArtifact | None:
        rows = self.artifacts.of_job(job.id)
        ownership = Ownership(prefix=JobS3Prefix.from_job(job), rows=lambda: rows)
        row = self.artifacts.find(artifact)
        return row if row is not None and ownership.owns_row(row) else None


def is_listed(artifact: Artifact, lines: Collection[Listed]) -> bool:
    """Return whether a line of a file names the artifact."""
    return any(
        line.job_id == artifact.job_id
        and line.run_id in (None, artifact.run_id)
        and line.kind in (None, artifact.kind)
        for line in lines
    )
