"""What a client may upload of a job or of a run, in the platform's words."""

from dataclasses import dataclass
from enum import StrEnum

from domain.artifacts import Artifact, ArtifactKind
from domain.errors import InvalidRequestError


class UploadContext(StrEnum):
    JOB = "job"
    RUN = "run"


class UploadType(StrEnum):
    CONFIG = "config"
    INPUT = "input"
    RESULTS = "results"
    LOGS = "logs"


@dataclass(frozen=True, slots=True)
class JobUpload:
    """One upload of a job or of one of its runs.

    Raises:
        InvalidRequestError: there is no such upload, as of a run's input, or an id is wrong.

    Example:
        >>> JobUpload(UploadContext.RUN, UploadType.CONFIG, job_id=12, run_id=4).kind.value
        'run_config'
    """

    context: UploadContext
    upload_type: UploadType
    job_id: int
    run_id: int | None = None

    def __post_init__(self) -> None:
        _ = self.artifact

    @property
    def kind(self) -> ArtifactKind:
        name = f"{self.context}_{self.upload_type}"
        if name not in set(ArtifactKind):
            raise InvalidRequestError(f"a {self.context} has no {self.upload_type}")
        return ArtifactKind(name)

    @property
    def artifact(self) -> Artifact:
        return Artifact(self.kind, self.job_id, self.run_id)
