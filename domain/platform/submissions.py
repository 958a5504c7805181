"""What a call of `submit_job`, `submit_job_config` or `submit_run_config` asks for.

The platform passes its own class of `JobUpload` where our calls pass ids as keywords.
"""

from dataclasses import dataclass
from typing import Any

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.job_uploads import JobUpload, PlatformUpload
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.ports.transfers import ITransferRepository

USE_CASES = {
    ArtifactKind.JOB_INPUT: "submit_job",
    ArtifactKind.JOB_CONFIG: "submit_job_config",
    ArtifactKind.RUN_CONFIG: "submit_run_config",
    ArtifactKind.RUN_RESULTS: "upload_results",
}
"""The use case that takes an upload of the kind."""

Asked = PlatformUpload | ITransferRepository | None
"""The positional argument after the repositories: `job_upload`, or `transfer_repository`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One upload that is asked for.

    Attributes:
        upload: what was passed in, because the platform's repository expects its own class.
        artifact: of the upload.
        transfers: where the upload is expected from now on, if anywhere.
    """

    upload: JobUpload
    artifact: Artifact
    transfers: ITransferRepository | None


def submission(
    kind: ArtifactKind,
    asked: Asked,
    transfers: ITransferRepository | None,
    *,
    job_id: int | None,
    run_id: int | None = None,
) -> Submission:
    """Return the upload that a call asks for, by a `JobUpload` or by ids.

    Raises:
        InvalidRequestError: it names no upload, one of another kind, or two different ones.
    """
    given: Any = asked
    if hasattr(given, "expect"):
        given, transfers = None, given
    if given is None:
        given = _by_ids(kind, job_id, run_id)
    artifact = JobUpload.of(given).artifact
    _check(kind, artifact, job_id, run_id)
    return Submission(upload=given, artifact=artifact, transfers=transfers)


def _by_ids(kind: ArtifactKind, job_id: int | None, run_id: int | None) -> JobUpload:
    if job_id is None:
        raise InvalidRequestError(f"{USE_CASES[kind]}: give job_upload, or job_id")
    return JobUpload(kind.spec.scope.value, kind.upload_type, job_id, run_id)


def _check(kind: ArtifactKind, artifact: Artifact, job_id: int | None, run_id: int | None) -> None:
    if artifact.kind is not kind:
        other = USE_CASES.get(artifact.kind, "request_upload")
        raise InvalidRequestError(f"{USE_CASES[kind]}: got {artifact}, not a {kind}; use {other}")
    if job_id not in (None, artifact.job_id) or run_id not in (None, artifact.run_id):
        raise InvalidRequestError(
            f"{USE_CASES[kind]}: job_upload is {artifact}, but job_id is {job_id} and run_id "
            f"{run_id}; give only one of the two"
        )
