"""What a client may upload of a job or of a run, in the platform's words."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Protocol, Self

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.keys import file_name
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation


class UploadContext(StrEnum):
    JOB = "job"
    RUN = "run"


class UploadType(StrEnum):
    CONFIG = "config"
    INPUT = "input"
    RESULTS = "results"
    LOGS = "logs"


class PlatformUpload(Protocol):
    """An upload of another class, such as the platform's `JobUpload`."""

    @property
    def context(self) -> str:
        """Return `job` or `run`; `job_config` and the like name the kind at once."""

    @property
    def upload_type(self) -> str:
        """Return `config`, `input`, `results` or `logs`."""

    @property
    def job_id(self) -> int:
        """Return the job's id."""

    @property
    def run_id(self) -> int | None:
        """Return the run's id, or None for an upload of the job itself."""


@dataclass(frozen=True, slots=True)
class JobUpload:
    """One upload of a job or of one of its runs.

    Attributes:
        context: an `UploadContext`, or its text.
        upload_type: an `UploadType`, or its text.
        job_id: of the job.
        run_id: of the run, if it is an upload of one.
        location: where it is, if that is known.

    Raises:
        InvalidRequestError: there is no such upload, as of a run's input, or an id is wrong.

    Example:
        >>> JobUpload(UploadContext.RUN, UploadType.CONFIG, job_id=12, run_id=4).kind.value
        'run_config'
    """

    context: str
    upload_type: str
    job_id: int
    run_id: int | None = None
    location: UploadLocation | None = None

    def __post_init__(self) -> None:
        _ = self.artifact

    @classmethod
    def of(cls, upload: PlatformUpload) -> Self:
        """Return the same upload as an object of this class.

        Raises:
            InvalidRequestError: it is no upload, or one that does not exist.
        """
        if isinstance(upload, cls):
            return upload
        kind = _kind_named(_text(upload, "context"), _text(upload, "upload_type"))
        return cls(
            kind.spec.scope.value,
            kind.upload_type,
            getattr(upload, "job_id", None),  # type: ignore[arg-type]  # checked with the artifact
            getattr(upload, "run_id", None),
        )

    @property
    def kind(self) -> ArtifactKind:
        return _kind_named(self.context, self.upload_type)

    @property
    def artifact(self) -> Artifact:
        return Artifact(self.kind, self.job_id, self.run_id)

    def is_job_upload(self) -> bool:
        """Return whether it belongs to the job itself."""
        return not self.kind.belongs_to_run

    def is_run_upload(self) -> bool:
        """Return whether it belongs to a run."""
        return self.kind.belongs_to_run

    def to_dict(self) -> dict[str, Any]:
        """Return it as the platform's clients are given it, with the location's signature."""
        location = {} if self.location is None else {"location": self.location.to_dict()}
        return {**self._ids, **location}

    def to_sanitized_dict(self) -> dict[str, Any]:
        """Return the same without the signature, to show."""
        location = self.location
        sanitized = {} if location is None else {"location": location.to_sanitized_dict()}
        return {**self._ids, **sanitized}

    def get_default_filename(self) -> str:
        """Return a name for a file in a directory of several jobs, such as job_12_config.json."""
        name = file_name(self.artifact)
        return name if self.is_run_upload() else f"job_{self.job_id}_{name.removeprefix('job_')}"

    @property
    def _ids(self) -> dict[str, Any]:
        return {
            "context": str(self.context),
            "uploadType": str(self.upload_type),
            "jobId": self.job_id,
            "runId": self.run_id,
        }


def _kind_named(context: str, upload_type: str | None) -> ArtifactKind:
    name = context if context in set(ArtifactKind) else f"{context}_{upload_type}"
    if name not in set(ArtifactKind):
        raise InvalidRequestError(
            f"upload_type: a {context} has no {upload_type}. The kinds are "
            f"{', '.join(ArtifactKind)}"
        )
    return ArtifactKind(name)


def _text(upload: Any, name: str) -> Any:  # noqa: ANN401 - of any class
    value = getattr(upload, name, None)
    if value is None and name == "context":
        raise InvalidRequestError(
            f"job_upload: {upload!r} is not an upload; give an object with context, upload_type, "
            "job_id and run_id"
        )
    return value.value if isinstance(value, Enum) else value
