"""Rows of the platform, and what is asked of each contender's database."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from benchmarks.deployment import CREATED_AT, Deployment


def job_row(job_id: int) -> JobRow:
    return JobRow(id=job_id, user_id=1, status="CREATED", created_at=CREATED_AT)


def add_runs(session: Session, artifacts: Sequence[Artifact]) -> None:
    """The one job and all runs of these artifacts."""
    session.add(job_row(artifacts[0].job_id))
    session.flush()
    session.add_all(_run_row(artifact) for artifact in artifacts)
    session.flush()


def new_run(made: Deployment, kind: ArtifactKind) -> Artifact:
    """An artifact of a new run of a new job, both committed."""
    [job_id, run_id] = made.new_ids(2)
    artifact = Artifact(kind, job_id, run_id)
    with Session(made.stack.engine) as session, session.begin():
        add_runs(session, [artifact])
    return artifact


def key_of(artifact: Artifact) -> str:
    return JobS3Prefix(artifact.job_id, CREATED_AT).key(artifact)


def recorded(made: Deployment, first_job: int, last_job: int) -> int:
    """How many artifacts of these jobs are."""
    return made.count(
        "SELECT count(*) FROM artifacts WHERE job_id BETWEEN :first AND :last",
        first=first_job,
        last=last_job,
    )


def _run_row(artifact: Artifact) -> RunRow:
    return RunRow(
        id=artifact.run_id,
        job_id=artifact.job_id,
        user_id=1,
        status="RUNNING",
        created_at=CREATED_AT,
    )
