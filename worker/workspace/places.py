"""The names of a job's files and directories on the disk."""

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.keys import file_name


def job_directory(job_id: int) -> str:
    """Return the name of the job's directory in a workspace."""
    return f"job_{job_id}"


def source_place(artifact: Artifact) -> str:
    """Return where an upload reads the artifact, relative to the job's directory."""
    directory = artifact.kind.spec.packed_from
    if directory is None:
        return file_name(artifact)
    return directory.format(run_id=artifact.run_id)


def download_place(artifact: Artifact) -> str:
    """Return where a download writes the artifact, relative to the job's directory."""
    # A packed directory stays a zip: a run may still write to the directory.
    return file_name(artifact)
