"""Where an artifact lies in the bucket. The only place that builds a key."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, Self, overload

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme, StoredArtifact, is_id
from artifact_pipeline.domain.model.jobs import MAX_ID, Job, as_utc_second
from artifact_pipeline.domain.model.kinds import ArtifactKind

ROOT = "jobs/"
"""What every job's directory begins with."""

MANIFEST = "manifest.json"
"""The file name of a job's manifest, which is no artifact."""

_NAMES = {
    kind: re.compile(
        re.escape(kind.spec.file_name).replace(r"\{run_id\}", "(?P<run_id>[1-9][0-9]{0,9})")
    )
    for kind in ArtifactKind
}
_JOB = re.compile(rf"{ROOT}([1-9][0-9]{{0,9}})/")
_DIRECTORY = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2})/([0-9]{2})([0-9]{2})([0-9]{2})/")


def file_name(artifact: Artifact) -> str:
    """Return the last component of its key, under the old rule as under this one."""
    return artifact.kind.spec.file_name.format(run_id=artifact.run_id)


def artifact_named(job_id: int, name: str) -> Artifact | None:
    """Return the job's artifact that has this file name, if it is one."""
    matches = ((kind, pattern.fullmatch(name)) for kind, pattern in _NAMES.items())
    for kind, match in matches:
        if match is not None:
            run_id = int(match["run_id"]) if kind.belongs_to_run else None
            return None if run_id and run_id > MAX_ID else Artifact(kind, job_id, run_id)
    return None


def artifact_at(key: str) -> Artifact | None:
    """Return the artifact that a key names, whatever the time in it; None if it names none."""
    job_id = job_of(key)
    return artifact_named(job_id, key.rpartition("/")[2]) if job_id else None


def job_of(key: str) -> int | None:
    """Return the id of the job whose directory a key is in; None if it is in none."""
    match = _JOB.match(key)
    job_id = int(match[1]) if match else 0
    return job_id if is_id(job_id) else None


def job_directory(job_id: int) -> str:
    """Return the prefix that a LIST needs to find all of a job, whatever its creation time."""
    return f"{ROOT}{job_id}/"


def time_directory(job_id: int, key: str) -> str:
    """Return the directory of a key that has a `directory_time`, with its closing slash."""
    root = job_directory(job_id)
    match = _DIRECTORY.match(key, len(root))
    return key[: match.end()] if match else root


def directory_time(job_id: int, key: str) -> datetime | None:
    """Return the time that the key's directory is named after; None if it is no directory of it."""
    root = job_directory(job_id)
    match = _DIRECTORY.match(key, len(root)) if key.startswith(root) else None
    try:
        return datetime(*map(int, match.groups()), tzinfo=UTC) if match else None  # type: ignore[misc,arg-type]  # six numbers
    except ValueError:
        return None


def directory_of(stored: StoredArtifact) -> str | None:
    """Return the directory of the job that it was stored for; None if its key names no job."""
    job_id = stored.artifact.job_id
    time = directory_time(job_id, stored.object.key)
    if time is None or stored.scheme is not Scheme.PREFIX:
        return None
    return JobS3Prefix(job_id, time).directory


def is_manifest(job_id: int, key: str) -> bool:
    """Return whether it is the key of a manifest, in whatever directory of the job's id."""
    is_in_directory = directory_time(job_id, key) is not None
    return is_in_directory and key == time_directory(job_id, key) + MANIFEST


class PlatformPrefix(Protocol):
    """A prefix of another class, such as the platform's `JobS3Prefix`."""

    @property
    def job_id(self) -> int:
        """Return the job's id."""

    @property
    def timestamp(self) -> datetime:
        """Return the time at which the job was created."""


@dataclass(frozen=True, slots=True, init=False)
class JobS3Prefix:
    """The one directory of a job, named after the moment the job was created.

    Args:
        job_id: of the job.
        created_at: when the job was created; a naive time is UTC.
        timestamp: another name of `created_at`, which the platform uses.

    Raises:
        InvalidRequestError: the id is out of range, or the moment is missing or given twice.

    Example:
        >>> JobS3Prefix(12, datetime(2025, 10, 23, 21, 15)).run_results_key(4)
        'jobs/12/2025/10/23/211500/run_4_results.zip'
    """

    job_id: int
    created_at: datetime

    @overload
    def __init__(self, job_id: int, created_at: datetime) -> None: ...

    @overload
    def __init__(self, job_id: int, *, timestamp: datetime) -> None: ...

    def __init__(
        self, job_id: int, created_at: datetime | None = None, *, timestamp: datetime | None = None
    ) -> None:
        if not is_id(job_id):
            raise InvalidRequestError(f"job_id must be from 1 to {MAX_ID}, not {job_id!r}")
        moments = [moment for moment in (created_at, timestamp) if moment is not None]
        if len(moments) != 1:
            raise InvalidRequestError(
                f"JobS3Prefix of job {job_id}: give created_at or timestamp, the moment at which "
                f"the job was created; got {len(moments)} of them"
            )
        object.__setattr__(self, "job_id", job_id)
        object.__setattr__(self, "created_at", as_utc_second(moments[0]))

    @classmethod
    def from_job(cls, job: Job) -> Self:
        return cls(job.id, job.created_at)

    @classmethod
    def of(cls, prefix: "PlatformPrefix") -> Self:
        """Return the same directory as an object of this class.

        Raises:
            InvalidRequestError: it is no prefix, or its id is out of range.
        """
        if isinstance(prefix, cls):
            return prefix
        moment = getattr(prefix, "timestamp", None)
        if not isinstance(moment, datetime):
            raise InvalidRequestError(
                f"s3_prefix: {prefix!r} is not a JobS3Prefix; make one by JobS3Prefix.from_job(job)"
            )
        return cls(prefix.job_id, moment)

    @property
    def timestamp(self) -> datetime:
        """`created_at` by the platform's name."""
        return self.created_at

    @property
    def base_prefix(self) -> str:
        """The directory, without a closing slash."""
        moment = self.created_at
        # Not strftime("%Y"): it does not pad a year below 1000 on Linux.
        return f"{job_directory(self.job_id)}{moment.year:04d}/{moment:%m/%d/%H%M%S}"

    @property
    def directory(self) -> str:
        """`base_prefix` with its closing slash: what a LIST takes to find just this job."""
        return f"{self.base_prefix}/"

    @property
    def manifest_key(self) -> str:
        """The key of the job's manifest."""
        return self.directory + MANIFEST

    def key(self, artifact: Artifact) -> str:
        """Return the artifact's key, for writing and for reading.

        Raises:
            InvalidRequestError: the artifact is another job's.
        """
        if artifact.job_id != self.job_id:
            raise InvalidRequestError(
                f"{artifact} is not of job {self.job_id}: use the prefix of its own job"
            )
        return self.directory + file_name(artifact)

    def job_config_key(self) -> str:
        return self._key(ArtifactKind.JOB_CONFIG)

    def job_input_key(self) -> str:
        return self._key(ArtifactKind.JOB_INPUT)

    def run_config_key(self, run_id: int) -> str:
        return self._key(ArtifactKind.RUN_CONFIG, run_id)

    def run_results_key(self, run_id: int) -> str:
        return self._key(ArtifactKind.RUN_RESULTS, run_id)

    def run_logs_key(self, run_id: int) -> str:
        return self._key(ArtifactKind.RUN_LOGS, run_id)

    def _key(self, kind: ArtifactKind, run_id: int | None = None) -> str:
        return self.key(Artifact(kind, self.job_id, run_id))
