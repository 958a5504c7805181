"""The directory tree that producers and workers share."""

import os
import stat
from pathlib import Path

from artifact_pipeline.domain.errors import (
    SourceInvalidError,
    SourceMissingError,
    WorkspaceUnavailableError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.worker.workspace.downloads import DownloadDirectory
from artifact_pipeline.worker.workspace.enclosure import Enclosure
from artifact_pipeline.worker.workspace.failures import LEADS_NOWHERE, lookup_errors
from artifact_pipeline.worker.workspace.files import FileSource
from artifact_pipeline.worker.workspace.identity import WorkspaceCheck
from artifact_pipeline.worker.workspace.places import job_directory, source_place
from artifact_pipeline.worker.workspace.target import Target
from artifact_pipeline.worker.workspace.zip_stream import DEFAULT_THREADS, ZippedDirectory


class Workspace:
    """Where an artifact's bytes are before an upload and after a download.

    Args:
        root: the directory.
        check: refuses a directory that is not the workspace. Without it, any will do.
        keeps_times: pack the times of modification of results.
        threads: how many files of results are deflated at once.

    Example:
        >>> Workspace(Path("/srv")).path(Artifact(ArtifactKind.RUN_RESULTS, 12, 4)).as_posix()
        '/srv/job_12/OUT/run_4'
    """

    def __init__(
        self,
        root: Path,
        check: WorkspaceCheck | None = None,
        *,
        keeps_times: bool = False,
        threads: int = DEFAULT_THREADS,
    ) -> None:
        self._root = root
        self._keeps_times = keeps_times
        self._threads = threads
        self._check = check

    def path(self, artifact: Artifact) -> Path:
        """Return the artifact's file; for results, the directory of their RUN* directories."""
        return self._root / job_directory(artifact.job_id) / source_place(artifact)

    def has(self, artifact: Artifact) -> bool:
        """Return whether something is in the artifact's place, of whatever type.

        What this user may not look at counts as there: the worker's attempt says why it cannot be
        read.
        """
        try:
            return self.path(artifact).exists()
        except OSError as error:
            return error.errno not in LEADS_NOWHERE

    def source(self, artifact: Artifact) -> Source:
        """Return the artifact's bytes as they are now.

        Raises:
            SourceMissingError: there is no such file, or no RUN* directory.
            SourceEmptyError: the file has no bytes, or the RUN* directories no file.
            SourceInvalidError: it is something else, or lies outside the job's directory.
            SourceUnreadableError: the worker may not read it.
            WorkspaceUnavailableError: the workspace itself is not there.
        """
        if self._check is not None:
            self._check()
        try:
            return self._source(artifact)
        except SourceMissingError:
            # This is not the artifact's fault: a share that is not mounted, and leaves an empty
            # directory or none, must not quarantine everything.
            if _is_empty(self._root):
                raise WorkspaceUnavailableError from None
            raise

    def target(self, artifact: Artifact) -> Target:
        """Return where a download of the artifact goes; results stay the zip that S3 has.

        Nothing is looked at or made yet.
        """
        return self.downloads(artifact.job_id).target(artifact)

    def downloads(self, job_id: int) -> DownloadDirectory:
        """Return where the job's artifacts are downloaded to: beside what is uploaded of it."""
        check = self._check.opened if self._check else None
        return DownloadDirectory(self._root, job_directory(job_id), check)

    def _source(self, artifact: Artifact) -> Source:
        job = Enclosure(self._root, job_directory(artifact.job_id))
        real = job.real(source_place(artifact))
        if real is None:
            raise SourceInvalidError(f"{artifact}: outside its job's directory")
        if artifact.kind.is_packed:
            return self._packed(artifact, job, real)
        return FileSource(artifact, job, real)

    def _packed(self, artifact: Artifact, job: Enclosure, real: str) -> ZippedDirectory:
        with lookup_errors(artifact):
            seen = job.look(real)
        if not stat.S_ISDIR(seen.st_mode):
            raise SourceInvalidError(f"{artifact}: not a directory")
        enclosure = Enclosure(job.workspace, f"{job.directory}/{real}")
        return ZippedDirectory(
            artifact, enclosure, keeps_times=self._keeps_times, threads=self._threads
        )


def _is_empty(directory: Path) -> bool:
    try:
        with os.scandir(directory) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True
