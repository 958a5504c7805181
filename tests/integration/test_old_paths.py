"""Artifacts that an old rule scattered under the moments of their uploads."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact, Scheme
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.embedded.stack import BUCKET
from artifact_pipeline.worker.s3.results import S3ResultsRepository
from artifact_pipeline.worker.sql.platform_tables import JobRow
from artifact_pipeline.worker.workspace import DownloadDirectory, Workspace
from tests import preloaded
from tests.cli.commands import Answer, bare_environment
from tests.integration.deployment import Deployment
from tests.integration.platform import Client

CREATED_AT = datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC)
Command = Callable[..., Answer]


@pytest.fixture
def artifacts(deployment: Deployment) -> Command:
    """The command, in a process of its own."""

    def run(*arguments: str) -> Answer:
        environment = {**bare_environment(), **deployment.stack.settings()}
        return Answer(*preloaded.run_command(arguments, environment))

    return run


class OldJob:
    """A job whose artifacts lie where they were when the moment of the upload named the directory.

    Its config's location is what the platform's row says; of the results there are two.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.job_id = deployment.job(CREATED_AT)
        self.run_id = deployment.run(self.job_id, CREATED_AT)
        self.config = Artifact(ArtifactKind.JOB_CONFIG, self.job_id)
        self.results = Artifact(ArtifactKind.RUN_RESULTS, self.job_id, self.run_id)
        self.logs = Artifact(ArtifactKind.RUN_LOGS, self.job_id, self.run_id)
        at = f"jobs/{self.job_id}/2025"
        self.config_key = f"{at}/10/23/211502/job_config.json"
        self.results_key = f"{at}/10/26/090000/run_{self.run_id}_results.zip"
        self.client = deployment.stack.client()
        self._put(self.config_key, b"{}")
        self._put(f"{at}/10/25/080000/run_{self.run_id}_results.zip", b"first results")
        self._put(self.results_key, b"results")
        self._put(f"{at}/10/26/090001/run_{self.run_id}_logs.log", b"logs")
        self.location = f"{deployment.stack.s3.url}/{BUCKET}/{self.config_key}"
        with Session(deployment.stack.engine) as session, session.begin():
            kept = {"config_location": f"{self.location}?X-Amz-Signature=expired"}
            session.execute(update(JobRow).where(JobRow.id == self.job_id).values(kept))

    @property
    def contents(self) -> dict[Artifact, bytes]:
        return {self.config: b"{}", self.results: b"results", self.logs: b"logs"}

    def _put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)


def files_in(directory: DownloadDirectory, job: OldJob) -> dict[Artifact, bytes]:
    paths = {artifact: directory.target(artifact).place for artifact in job.contents}
    return {artifact: (directory.root / place).read_bytes() for artifact, place in paths.items()}


def test_an_old_jobs_scattered_artifacts_are_all_downloaded(
    deployment: Deployment, artifacts: Command, tmp_path: Path
) -> None:
    # Given an old job
    job = OldJob(deployment)

    # When the command downloads it
    answer = artifacts(
        *("jobs", "uploads", "download", "--job-id", str(job.job_id)),
        *("--output-dir", str(tmp_path), "--json"),
    )

    # Then all of it is there, the newest of each, and it says where it was found
    assert (answer.status, answer.err) == (0, "")
    assert files_in(DownloadDirectory(tmp_path), job) == job.contents
    found = {row["kind"]: (row["found_by"], row["scheme"]) for row in answer.json}
    assert found == {
        "job_config": ("location", "legacy"),
        "run_logs": ("listing", "legacy"),
        "run_results": ("listing", "legacy"),
    }


def test_an_old_job_is_downloaded_by_a_task(deployment: Deployment) -> None:
    # Given an old job
    job = OldJob(deployment)

    # When a message asks for all of it
    deployment.foreign.send_task(
        "artifacts.download_job", kwargs={"job_id": job.job_id}, queue="upkeep"
    )

    # Then each artifact becomes a transfer, and a file in the workspace
    for artifact in job.contents:
        deployment.wait_until(partial(is_done, deployment, artifact))
    in_workspace = Workspace(deployment.stack.workspace).downloads(job.job_id)
    assert files_in(in_workspace, job) == job.contents


def test_a_relocated_job_is_found_by_one_list(deployment: Deployment, artifacts: Command) -> None:
    # Given an old job, and a URL of its results that somebody keeps
    job = OldJob(deployment)
    repository = S3ResultsRepository(BUCKET, s3_client=deployment.stack.client())
    kept = repository.get_download_url(f"s3://{BUCKET}/{job.results_key}")

    # When it is relocated, after a look at what that would do
    relocate = ("jobs", "uploads", "relocate", "--job-id", str(job.job_id), "--json")
    preview = artifacts(*relocate, "--dry-run")
    before = len(deployment.listing(f"jobs/{job.job_id}/"))
    answer = artifacts(*relocate)

    # Then one LIST of its one directory finds all of it
    assert [row["outcome"] for row in preview.json] == ["would be copied"] * 3
    assert before == 4
    assert (answer.status, [row["outcome"] for row in answer.json]) == (0, ["copied"] * 3)
    directory = f"jobs/{job.job_id}/2025/10/23/211500/"
    listed = {item["Key"]: deployment.body(item["Key"]) for item in deployment.listing(directory)}
    assert list(listed.values()) == [b"{}", b"logs", b"results"]
    # And it is recorded there, and what was elsewhere stays, and URLs of it go on working
    stored = deployment.artifacts.of_job(job.job_id)
    assert {each.object.key for each in stored} == set(listed)
    assert {each.scheme for each in stored} == {Scheme.PREFIX}
    assert len(deployment.listing(f"jobs/{job.job_id}/")) == 7
    assert Client().get(kept) == b"results"


def test_a_job_is_relocated_by_a_task(deployment: Deployment) -> None:
    # Given an old job
    job = OldJob(deployment)

    # When a message asks for it
    deployment.foreign.send_task(
        "artifacts.relocate_job", kwargs={"job_id": job.job_id}, queue="upkeep"
    )

    # Then each artifact is copied and recorded, by a transfer of its own
    for artifact in job.contents:
        deployment.wait_until(partial(is_recorded, deployment, artifact))
    directory = f"jobs/{job.job_id}/2025/10/23/211500/"
    assert len(deployment.listing(directory)) == 3
    assert len(deployment.listing(f"jobs/{job.job_id}/")) == 7


def test_old_copies_are_deleted_only_when_it_is_told_to(
    deployment: Deployment, artifacts: Command
) -> None:
    # Given a relocated job, of whose results there is an older version as well
    job = OldJob(deployment)
    relocate = ("jobs", "uploads", "relocate", "--job-id", str(job.job_id), "--json")
    assert artifacts(*relocate).status == 0

    # When it is asked for again, with the word
    answer = artifacts(*relocate, "--delete-old", "--only-database")

    # Then what is the same is deleted, and what differs is kept
    assert answer.status == 0
    outcomes = sorted((row["kind"], row["outcome"], row["error"]) for row in answer.json)
    assert outcomes == [
        ("job_config", "deleted", None),
        ("run_logs", "deleted", None),
        ("run_results", "deleted", None),
        ("run_results", "kept", "differs"),
    ]
    assert len(deployment.listing(f"jobs/{job.job_id}/")) == 4


def test_the_download_command_still_works(
    deployment: Deployment, artifacts: Command, tmp_path: Path
) -> None:
    # Given a job of today, stored by a worker
    job_id = deployment.job(CREATED_AT)
    run_id = deployment.run(job_id, CREATED_AT)
    config = Artifact(ArtifactKind.JOB_CONFIG, job_id)
    results = Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id)
    for artifact in (config, results):
        deployment.write(artifact, b"1,2,3\n")
        deployment.send(artifact)
        deployment.stored(artifact)

    # When it is downloaded and unpacked, and a second time
    download = (
        *("jobs", "uploads", "download", "--job-id", str(job_id)),
        *("--output-dir", str(tmp_path), "--extract", "--json"),
    )
    first, second = artifacts(*download), artifacts(*download)

    # Then the files are there, as the results are in the workspace, and were fetched once
    assert (first.status, second.status) == (0, 0)
    assert [row["outcome"] for row in first.json] == ["downloaded", "downloaded"]
    assert [row["outcome"] for row in second.json] == ["there already", "there already"]
    assert (tmp_path / "job_config.json").read_bytes() == b"1,2,3\n"
    assert (tmp_path / f"OUT/run_{run_id}/RUN2/out.csv").read_bytes() == b"1,2,3\n"
    assert first.json[1]["path"] == str(tmp_path / f"OUT/run_{run_id}")


def test_what_is_listed(deployment: Deployment, artifacts: Command) -> None:
    # Given an old job, of which one artifact is stored anew
    job = OldJob(deployment)
    deployment.write(job.logs, b"new logs")
    deployment.send(job.logs)
    deployment.stored(job.logs)

    # When it is listed
    answer = artifacts("jobs", "uploads", "list", "--job-id", str(job.job_id), "--json")

    # Then each artifact is there with its state, scheme and size, and no signature
    rows: list[Any] = json.loads(answer.out)
    assert [(row["kind"], row["state"], row["scheme"], row["size"]) for row in rows] == [
        ("job_config", "unrecorded", "legacy", 2),
        ("run_logs", "stored", "prefix", 8),
        ("run_results", "unrecorded", "legacy", 7),
    ]
    assert rows[0]["location"] == f"s3://{BUCKET}/{job.config_key}"
    assert "Signature" not in answer.out


def is_done(deployment: Deployment, artifact: Artifact) -> bool:
    latest = deployment.transfers.latest(artifact, Direction.DOWNLOAD)
    return latest is not None and latest.state is TransferState.DONE


def is_recorded(deployment: Deployment, artifact: Artifact) -> bool:
    return deployment.artifacts.find(artifact) is not None
