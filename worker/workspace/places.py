"""The names of a job's files and directories on the disk."""

from domain.artifacts import Artifact, ArtifactKind

_SOURCES = {
    ArtifactKind.JOB_CONFIG: "job_config.json",
    ArtifactKind.JOB_INPUT: "job_input.zip",
    ArtifactKind.RUN_CONFIG: "run_{run_id}_config.json",
    ArtifactKind.RUN_RESULTS: "OUT/run_{run_id}",
    ArtifactKind.RUN_LOGS: "run_{run_id}_logs.log",
}
# Results stay a zip: a run may still write to their directory.
_DOWNLOADS = {**_SOURCES, ArtifactKind.RUN_RESULTS: "run_{run_id}_results.zip"}


def job_directory(job_id: int) -> str:
    """Return the name of the job's directory in a workspace."""
    return f"job_{job_id}"


def source_place(artifact: Artifact) -> str:
    """Return where an upload reads the artifact, relative to the job's directory."""
    return _SOURCES[artifact.kind].format(run_id=artifact.run_id)


def download_place(artifact: Artifact) -> str:
    """Return where a download writes the artifact, relative to the job's directory."""
    return _DOWNLOADS[artifact.kind].format(run_id=artifact.run_id)
