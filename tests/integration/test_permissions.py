"""The documented policies allow what is asked of S3, and nothing that is never asked."""

import ast
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import boto3
import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.worker.composition.producer import Producer
from artifact_pipeline.worker.embedded.stack import BUCKET, EmbeddedStack
from artifact_pipeline.worker.settings import ProducerSettings, load
from tests import preloaded
from tests.cli.commands import bare_environment
from tests.integration.deployment import Deployment
from tests.integration.permissions import ACTION_OF, ACTION_OF_ARGUMENT, Policy, WatchedS3
from tests.integration.platform import Client, Platform
from tests.workspace.trees import plant

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
ADAPTERS = Path(__file__).parents[2] / "worker" / "s3"
PART = 5 * 2**20
LARGE = os.urandom(3 * PART)
IN_PARTS = {
    "ARTIFACTS_PART_SIZE": str(PART),
    "ARTIFACTS_MULTIPART_THRESHOLD": str(PART),
    "ARTIFACTS_TRANSFER_THREADS": "1",
}
IMPATIENT = {
    "ARTIFACTS_LEASE_SECONDS": "1",
    "ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "0",
    # Older than a moment is old enough to be aborted.
    "ARTIFACTS_ABANDONED_UPLOAD_HOURS": "0.0000001",
}


class Watched:
    """A deployment whose S3 is watched."""

    def __init__(self, stack: EmbeddedStack, s3: WatchedS3) -> None:
        self.stack = stack
        self.s3 = s3
        self.deployed = Deployment(stack)
        self.settings = {**stack.settings(), **IN_PARTS, "ARTIFACTS_S3_ENDPOINT_URL": s3.url}

    def job_with_run(self) -> tuple[int, int]:
        job_id = self.deployed.job(CREATED_AT)
        return job_id, self.deployed.run(job_id, CREATED_AT)

    def put_old(self, job_id: int) -> None:
        key = f"jobs/{job_id}/2025/10/24/080000/job_config.json"
        tags = "retention=7y"  # to read and to write them takes permissions of their own
        self.stack.client().put_object(Bucket=BUCKET, Key=key, Body=b"{}", Tagging=tags)

    def tag(self, key: str) -> None:
        self.stack.client().put_object_tagging(
            Bucket=BUCKET, Key=key, Tagging={"TagSet": [{"Key": "retention", "Value": "7y"}]}
        )

    def send(self, name: str, **ids: int) -> None:
        self.deployed.foreign.send_task(f"artifacts.{name}", kwargs=ids, queue="upkeep")

    def is_aborted(self) -> bool:
        """Ask for a reconcile: S3 tells an upload's age in seconds, so the first may see none."""
        self.send("reconcile")
        return self.s3.counts["AbortMultipartUpload"] > 0

    def done(self, artifact: Artifact, direction: Direction) -> None:
        assert self.deployed.ended(artifact, direction).state is TransferState.DONE


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with EmbeddedStack(tmp_path / "stack") as stack, WatchedS3(stack.s3.port) as s3:
        yield Watched(stack, s3)


def test_a_worker_makes_no_call_that_its_policy_does_not_list(watched: Watched) -> None:
    # Given all that a worker does: uploads small and large, and one again that is unchanged
    job_id, run_id = watched.job_with_run()
    config = Artifact(ArtifactKind.JOB_CONFIG, job_id)
    results = Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id)
    environment = {**IN_PARTS, **IMPATIENT, "ARTIFACTS_S3_ENDPOINT_URL": watched.s3.url}
    worker = watched.stack.start_worker("--concurrency", "1", environment=environment)
    _upload(watched, config, b"{}")
    _upload(watched, results, b"small")
    _upload(watched, config, b"{}")

    # And one that another goes on with
    held = watched.s3.hold(lambda asked: asked.parameters.get("partNumber") == "2")
    watched.deployed.write(results, LARGE)
    watched.deployed.send(results)
    assert held.arrived.wait(60)
    worker.kill()
    held.release()
    watched.stack.start_worker("--concurrency", "1", "--beat", environment=environment)
    watched.done(results, Direction.UPLOAD)

    # And an upload by a client, downloads, a relocation, and what is abandoned
    logs = Artifact(ArtifactKind.RUN_LOGS, job_id, run_id)
    watched.deployed.transfers.request(logs, Direction.CONFIRM, "logs")
    key = f"jobs/{job_id}/2025/10/23/211500/run_{run_id}_logs.log"
    watched.stack.client().put_object(Bucket=BUCKET, Key=key, Body=b"logs")
    watched.send("confirm_upload", job_id=job_id, run_id=run_id)
    watched.done(logs, Direction.CONFIRM)
    old_job, _ = watched.job_with_run()
    watched.put_old(old_job)
    watched.send("download_job", job_id=old_job)
    old = Artifact(ArtifactKind.JOB_CONFIG, old_job)
    watched.done(old, Direction.DOWNLOAD)
    watched.send("relocate_job", job_id=old_job)
    watched.done(old, Direction.RELOCATE)
    watched.stack.client().create_multipart_upload(Bucket=BUCKET, Key=key)
    watched.deployed.wait_until(watched.is_aborted, pause_seconds=0.5)

    # Then its policy lists each action that it has asked for, and no other
    policy = Policy.of("worker")
    assert {need for need in watched.s3.needs if not policy.allows(need)} == set()
    assert {need.action for need in watched.s3.needs} == policy.actions


def test_a_producer_makes_no_call_that_its_policy_does_not_list(
    watched: Watched, tmp_path: Path
) -> None:
    # Given all that a controller does, and a client with a URL
    job_id, run_id = watched.job_with_run()
    with patch.dict("os.environ", watched.settings):
        app = producer_app(watched.stack.broker.url)
        producer = Producer(load(ProducerSettings), app)
    platform = Platform(watched.stack.engine, producer, app)
    with patch.dict("os.environ", watched.settings), platform.controller() as controller:
        location = controller.submit_job_config(job_id)
        assert Client().put(location.url, b"{}") == 200
        for content in (b"small", LARGE):
            plant(tmp_path / "results", {"RUN1/out": content})
            controller.upload_results(job_id, run_id, tmp_path / "results")
        assert Client().get(controller.get_run_results(job_id, run_id))
        uploads = controller.get_job_uploads(job_id)
        watched.tag(uploads[0].object.address.key)
        assert len(controller.archive_uploads(uploads, "GLACIER_IR").archived) == 2

    # Then
    policy = Policy.of("producer")
    assert {need for need in watched.s3.needs if not policy.allows(need)} == set()
    assert {need.action for need in watched.s3.needs} == policy.actions - WHEN_IT_FAILS


def test_an_operator_makes_no_call_that_its_policy_does_not_list(
    watched: Watched, tmp_path: Path
) -> None:
    # Given all commands that look into the bucket
    job_id, run_id = watched.job_with_run()
    watched.put_old(job_id)
    plant(tmp_path / "results", {"RUN1/out": LARGE})
    job = ("--job-id", str(job_id))
    for command in (
        ("list", *job),
        ("download", *job, "--output-dir", str(tmp_path / "out")),
        ("relocate", *job, "--delete-old", "--only-database"),
        ("archive", *job, "--storage-class", "GLACIER"),
        ("restore", *job, "--days", "1"),
    ):
        _command(watched, "jobs", "uploads", *command)
    _command(watched, "audit", *job)
    results = ("--run-id", str(run_id), "--results-dir", str(tmp_path / "results"))
    _command(watched, "jobs", "results", "upload", *job, *results)

    # Then
    policy = Policy.of("operator")
    assert {need for need in watched.s3.needs if not policy.allows(need)} == set()
    assert {need.action for need in watched.s3.needs} == policy.actions - WHEN_IT_FAILS


WHEN_IT_FAILS = {"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}
"""Of an upload without a worker, whose parts are dropped, or sent on when it is overtaken."""


def test_the_policies_list_what_the_adapters_call() -> None:
    names = _names(ADAPTERS)
    actions = {ACTION_OF[operation] for operation in _operations(names)}
    actions |= {action for name, action in ACTION_OF_ARGUMENT.items() if name in names}
    roles = ("worker", "producer", "operator", "custodian")
    assert set().union(*(Policy.of(role).actions for role in roles)) == actions


@pytest.mark.parametrize("role", ["worker", "producer", "operator", "custodian"])
def test_a_policy_reaches_no_further_than_jobs(role: str) -> None:
    for statement in Policy.of(role).statements:
        assert "*" not in "".join(statement["Action"])
        of_objects = statement["Resource"].endswith(":my-artifacts/jobs/*")
        assert of_objects or statement["Resource"].endswith(":my-artifacts")


def _operations(names: set[str]) -> set[str]:
    """Return the operations of S3 among the names."""
    client = boto3.client("s3", region_name="us-east-1")
    known = client.meta.method_to_api_mapping
    return {known[name] for name in names if name in known}


def _names(directory: Path) -> set[str]:
    """Return every name in the code, called or as a string."""
    nodes = [
        node for path in directory.glob("*.py") for node in ast.walk(ast.parse(path.read_text()))
    ]
    called = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    named = {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
    return called | named


def _upload(watched: Watched, artifact: Artifact, content: bytes) -> None:
    watched.deployed.write(artifact, content)
    watched.deployed.send(artifact)
    watched.deployed.stored(artifact)


def _command(watched: Watched, *arguments: str) -> None:
    ended = preloaded.run_command(arguments, {**bare_environment(), **watched.settings})
    assert ended.status == 0, ended.err
