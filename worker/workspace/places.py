"""The names of a job's files and directories on the disk."""

from domain.artifacts import Artifact, ArtifactKind
from domain.prefix import file_name


def job_directory(job_id: int) -> str:
    """Return the name of the job's directory in a workspace."""
    return f"job_{job_id}"


def source_place(artifact: Artifact) -> str:
    """Return where an upload reads the artifact, relative to the job's directory."""
    # A run writes its results to a directory.
    is_results = artifact.kind is ArtifactKind.RUN_RESULTS
    return f"OUT/run_{artifact.run_id}" if is_results else file_name(artifact)


def download_place(artifact: Artifact) -> str:
    """Return where a download writes the artifact, relative to the job's directory."""
    # Results stay a zip: a run may still write to their directory.
    return file_name(artifact)
