"""The platform's words for an upload."""

from typing import Any

import pytest

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.job_uploads import JobUpload, UploadContext, UploadType
from artifact_pipeline.domain.model.kinds import ArtifactKind

JOB, RUN = UploadContext.JOB, UploadContext.RUN


@pytest.mark.parametrize(
    ("upload", "artifact"),
    [
        ((JOB, UploadType.CONFIG, 12), Artifact(ArtifactKind.JOB_CONFIG, 12)),
        ((JOB, UploadType.INPUT, 12), Artifact(ArtifactKind.JOB_INPUT, 12)),
        ((RUN, UploadType.CONFIG, 12, 4), Artifact(ArtifactKind.RUN_CONFIG, 12, 4)),
        ((RUN, UploadType.RESULTS, 12, 4), Artifact(ArtifactKind.RUN_RESULTS, 12, 4)),
        ((RUN, UploadType.LOGS, 12, 4), Artifact(ArtifactKind.RUN_LOGS, 12, 4)),
    ],
)
def test_what_it_is_an_upload_of(upload: tuple[Any, ...], artifact: Artifact) -> None:
    assert JobUpload(*upload).artifact == artifact
    assert JobUpload(*upload).kind is artifact.kind


@pytest.mark.parametrize(
    ("upload", "said"),
    [
        ((JOB, UploadType.RESULTS, 12), "a job has no results"),
        ((JOB, UploadType.LOGS, 12), "a job has no logs"),
        ((RUN, UploadType.INPUT, 12, 4), "a run has no input"),
        ((RUN, UploadType.CONFIG, 12), "run_config needs a run_id"),
        ((JOB, UploadType.CONFIG, 12, 4), "job_config belongs to the job"),
        ((JOB, UploadType.CONFIG, 0), "job_id must be from 1"),
    ],
)
def test_what_there_is_not(upload: tuple[Any, ...], said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said):
        JobUpload(*upload)


def test_whose_upload_it_is_by_the_platforms_names() -> None:
    of_job, of_run = JobUpload("job", "config", 12), JobUpload("run", "config", 12, run_id=4)
    assert (of_job.is_job_upload(), of_job.is_run_upload()) == (True, False)
    assert (of_run.is_job_upload(), of_run.is_run_upload()) == (False, True)


@pytest.mark.parametrize(
    ("upload", "name"),
    [
        (JobUpload("job", "config", 12), "job_12_config.json"),
        (JobUpload("job", "input", 42), "job_42_input.zip"),
        (JobUpload("run", "config", 12, 4), "run_4_config.json"),
        (JobUpload("run", "logs", 12, 5), "run_5_logs.log"),
    ],
)
def test_its_file_name(upload: JobUpload, name: str) -> None:
    assert upload.get_default_filename() == name
