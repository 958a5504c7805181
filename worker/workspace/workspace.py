"""The directory tree that producers and workers share."""

import os
import stat
from pathlib import Path, PurePosixPath

from domain.artifacts import Artifact, ArtifactKind
from domain.errors import SourceInvalidError, SourceMissingError, WorkspaceUnavailableError
from domain.ports import Source
from worker.workspace.enclosure import Enclosure
from worker.workspace.extract import Extraction
from worker.workspace.failures import looking_for
from worker.workspace.files import FileSource
from worker.workspace.target import Target
from worker.workspace.zip_stream import ZippedDirectory

_PLACES = {
    ArtifactKind.JOB_CONFIG: "job_config.json",
    ArtifactKind.JOB_INPUT: "job_input.zip",
    ArtifactKind.RUN_CONFIG: "run_{run_id}_config.json",
    ArtifactKind.RUN_RESULTS: "OUT/run_{run_id}",
    ArtifactKind.RUN_LOGS: "run_{run_id}_logs.log",
}
_DOWNLOADED_RESULTS = "run_{run_id}_results.zip"
"""Not unpacked: the directory of the results may be a run's that goes on."""


class Workspace:
    """Where an artifact's bytes are before an upload and after a download.

    Example:
        >>> Workspace(Path("/srv")).path(Artifact(ArtifactKind.RUN_RESULTS, 12, 4)).as_posix()
        '/srv/job_12/OUT/run_4'
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, artifact: Artifact) -> Path:
        """The artifact's file; for results, the directory that holds their RUN* directories."""
        return self._root / _job_directory(artifact) / _place(artifact)

    def has(self, artifact: Artifact) -> bool:
        """Whether there is something in the artifact's place; what it is, nobody looks at."""
        return self.path(artifact).exists()

    def source(self, artifact: Artifact) -> Source:
        """The artifact's bytes as they are now.

        Raises:
            SourceMissingError: there is no such file, or no RUN* directory.
            SourceEmptyError: the file has no bytes, or the RUN* directories no file.
            SourceInvalidError: it is something else, or lies outside the job's directory.
            SourceUnreadableError: the worker may not read it.
            WorkspaceUnavailableError: the workspace itself is not there.
        """
        try:
            return self._source(artifact)
        except SourceMissingError:
            # Not the artifact's fault: a share that is not mounted, and leaves an empty directory
            # or none, must not quarantine everything.
            if _is_empty(self._root):
                raise WorkspaceUnavailableError from None
            raise

    def target(self, artifact: Artifact) -> Target:
        """Where a download of the artifact goes; results stay the zip that they are in the bucket.

        Nothing is looked at or made yet.
        """
        is_results = artifact.kind is ArtifactKind.RUN_RESULTS
        name = _DOWNLOADED_RESULTS if is_results else _PLACES[artifact.kind]
        place = f"{_job_directory(artifact)}/{name.format(run_id=artifact.run_id)}"
        return Target(artifact, self._root, place)

    def extraction(self, artifact: Artifact) -> Extraction:
        """How the zip is unpacked that a download brings.

        Results go to where they would be uploaded from, an input to a directory of its own.
        """
        archive = PurePosixPath(self.target(artifact).place)
        is_results = artifact.kind is ArtifactKind.RUN_RESULTS
        results = PurePosixPath(_job_directory(artifact), _place(artifact))
        into = results if is_results else archive.with_suffix("")
        return Extraction(artifact=artifact, root=self._root, archive=archive, into=into)

    def _source(self, artifact: Artifact) -> Source:
        job = Enclosure(Path(os.path.realpath(self._root)), _job_directory(artifact))
        real = job.real(_place(artifact))
        if real is None:
            raise SourceInvalidError(f"{artifact}: outside its job's directory")
        if artifact.kind is ArtifactKind.RUN_RESULTS:
            return _results(artifact, job, real)
        return FileSource(artifact, job, real)


def _is_empty(directory: Path) -> bool:
    try:
        with os.scandir(directory) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True


def _job_directory(artifact: Artifact) -> str:
    return f"job_{artifact.job_id}"


def _place(artifact: Artifact) -> str:
    return _PLACES[artifact.kind].format(run_id=artifact.run_id)


def _results(artifact: Artifact, job: Enclosure, real: str) -> ZippedDirectory:
    with looking_for(artifact):
        seen = job.look(real)
    if not stat.S_ISDIR(seen.st_mode):
        raise SourceInvalidError(f"{artifact}: not a directory")
    return ZippedDirectory(artifact, Enclosure(job.workspace, f"{job.directory}/{real}"))
