"""A directory of results that a user names: it holds RUN* directories, or is one of them."""

import os
import stat
from pathlib import Path

from artifact_pipeline.domain.errors import SourceInvalidError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.workspace.enclosure import Enclosure
from artifact_pipeline.worker.workspace.failures import lookup_errors
from artifact_pipeline.worker.workspace.scan import is_run
from artifact_pipeline.worker.workspace.zip_stream import DEFAULT_THREADS, ZippedDirectory


def zipped_results(
    artifact: Artifact,
    results_dir: Path,
    *,
    keeps_times: bool = False,
    threads: int = DEFAULT_THREADS,
) -> ZippedDirectory:
    """Return the results as a zip, with the RUN* directories at its top.

    Raises:
        SourceMissingError, SourceEmptyError, SourceInvalidError, SourceUnreadableError: there are
            no such results.
    """
    # A link to it is as good: the user decides which directory it is.
    real = Path(os.path.realpath(results_dir))
    with lookup_errors(artifact):
        seen = real.lstat()
    if not stat.S_ISDIR(seen.st_mode):
        raise SourceInvalidError(f"{artifact}: not a directory")
    run = next(filter(is_run, (results_dir.name, real.name)), "")
    if run:
        with lookup_errors(artifact):
            run = "" if _holds_only_runs(real) else run
    enclosure = Enclosure(real.parent, real.name)
    return ZippedDirectory(artifact, enclosure, run, keeps_times=keeps_times, threads=threads)


def _holds_only_runs(directory: Path) -> bool:
    with os.scandir(directory) as entries:
        kinds = [is_run(entry.name) and entry.is_dir() for entry in entries]
    return bool(kinds) and all(kinds)
