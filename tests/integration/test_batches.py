"""Batches on real workers: whatever is killed, they go on, and nothing else waits for them."""

import json
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batches import BatchMode, BatchState, Outcome
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.routing import BATCH_HEADER, BATCHES
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.settings import WorkerSettings, load
from tests import preloaded
from tests.cli.commands import bare_environment
from tests.databases import Databases
from tests.integration.deployment import Deployment
from tests.integration.permissions import WatchedS3
from tests.sql.batch_steps import History, config_of
from tests.sql.steps import CREATED_AT

# Objects are counted, and a slow test can take longer than a manifest.
IMPATIENT = {
    "ARTIFACTS_MANIFEST": "false",
    "ARTIFACTS_LEASE_SECONDS": "1",
    "ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "0",
}
WORKER = ("--concurrency", "1", "--beat")


class Deployed:
    """A deployment with a history of failed uploads, whose sources are there now."""

    def __init__(self, stack: EmbeddedStack) -> None:
        self.stack = stack
        self.deployment = Deployment(stack)
        self.history = History(stack.engine, producer_app(stack.broker.url))
        self.batches = self.history.batches

    def failed_configs(self, *job_ids: int, user_id: int = 7) -> None:
        self.history.failed_configs(*job_ids, user_id=user_id)
        for job_id in job_ids:
            self.deployment.write(config_of(job_id), b"{}")

    def command(self, *arguments: str) -> "subprocess.Popen[str]":
        return lifeline.start(
            [
                sys.executable,
                "-c",
                "from artifact_pipeline.worker.cli.main import main; main()",
                *arguments,
            ],
            env={**bare_environment(), **self.stack.settings()},
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(self, *arguments: str) -> str:
        """What the command prints, once it has succeeded."""
        environment = {**bare_environment(), **self.stack.settings()}
        ended = preloaded.run_command(arguments, environment)
        assert ended.status == 0, ended.err
        return ended.out

    def is_done(self, batch_id: int) -> bool:
        return self.batches.get(batch_id).state is BatchState.DONE

    def ended(self, batch_id: int) -> int:
        return self.batches.progress(batch_id).ended


@pytest.fixture(params=["sqlite", "postgresql"])
def deployed(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> Iterator[Deployed]:
    url = databases.emptied() if request.param == "postgresql" else None
    with EmbeddedStack(tmp_path, url) as stack:
        yield Deployed(stack)


def test_a_batch_goes_on_whatever_is_killed(deployed: Deployed) -> None:
    # Given a batch, somebody who watches it, and a worker that is in the middle of it
    wait_until, jobs = deployed.deployment.wait_until, range(1, 151)
    deployed.failed_configs(*jobs)
    batch = deployed.history.started(max_in_flight=50)
    watching = deployed.command("batch", "status", str(batch.id), "--watch")
    worker = deployed.stack.start_worker(*WORKER, environment=IMPATIENT)
    wait_until(lambda: deployed.ended(batch.id) >= 20)

    # When the command, the worker and the broker's memory are gone
    watching.kill()
    watching.communicate()
    worker.kill()
    with deployed.stack.broker.client() as client:
        client.flushall()
    assert deployed.ended(batch.id) < len(jobs)
    deployed.stack.start_worker(*WORKER, environment=IMPATIENT)

    # Then every member is transferred, once
    wait_until(partial(deployed.is_done, batch.id))
    assert deployed.history.outcomes(batch.id) == {Outcome.DONE: len(jobs)}
    for job_id in (1, 75, 150):
        # The one that failed, and the batch's.
        assert deployed.deployment.count_transfers(job_id) == 2
    assert len(deployed.deployment.listing("jobs/")) == len(jobs)


def test_an_ordinary_upload_does_not_wait_for_a_batch(deployed: Deployed) -> None:
    # Given a batch, of which more is queued than a worker does in a while
    deployed.failed_configs(*range(1, 1001))
    batch = deployed.history.started()
    deployed.stack.start_worker(*WORKER)
    deployed.deployment.wait_until(lambda: deployed.ended(batch.id) >= 10)

    # When somebody asks for an upload
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployed.deployment.job(CREATED_AT, 2000))
    deployed.deployment.write(artifact)
    before = deployed.ended(batch.id)
    deployed.deployment.send(artifact)
    deployed.deployment.stored(artifact)

    # Then it was done before most of the batch, however late the test has looked
    assert deployed.ended(batch.id) - before < 500
    assert not deployed.is_done(batch.id)


def test_unchanged_artifacts_are_recognised_unless_they_are_forced(tmp_path: Path) -> None:
    # Given artifacts that are stored
    with EmbeddedStack(tmp_path) as stack, WatchedS3(stack.s3.port) as s3:
        deployed, jobs = Deployed(stack), range(1, 21)
        deployed.failed_configs(*jobs)
        stack.start_worker(*WORKER, environment={"ARTIFACTS_S3_ENDPOINT_URL": s3.url})
        first = deployed.history.started(BatchMode.MISSING)
        deployed.deployment.wait_until(partial(deployed.is_done, first.id))

        # When all of them run again
        s3.counts.clear()
        again = deployed.history.started(BatchMode.ALL)
        deployed.deployment.wait_until(partial(deployed.is_done, again.id))

        # Then each has cost one request, and no byte
        assert deployed.batches.progress(again.id).bytes_moved == 0
        assert deployed.history.outcomes(again.id) == {Outcome.UNCHANGED: len(jobs)}
        assert dict(s3.counts) == {"HeadObject": len(jobs)}

        # And forced they are sent again
        s3.counts.clear()
        forced = deployed.history.started(BatchMode.ALL, is_forced=True)
        deployed.deployment.wait_until(partial(deployed.is_done, forced.id))
        assert deployed.history.outcomes(forced.id) == {Outcome.DONE: len(jobs)}
        assert deployed.batches.progress(forced.id).bytes_moved == len(jobs) * len(b"{}")
        assert s3.counts["PutObject"] == len(jobs)


def test_old_jobs_are_uploaded_without_a_request_of_each(deployed: Deployed) -> None:
    # Given jobs from before the pipeline, with files in the workspace, and one without
    old, created_at = range(1, 31), datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
    for job_id in (*old, 99):
        deployed.history.job(job_id, [job_id + 1000], created_at=created_at)
    uploads = [
        *(config_of(job_id) for job_id in old),
        *(Artifact(ArtifactKind.RUN_RESULTS, job_id, job_id + 1000) for job_id in old),
    ]
    for artifact in uploads:
        deployed.deployment.write(artifact)

    # When an operator previews what was never requested, and starts it
    options = ("--never-requested", "--kind", "job_config", "--kind", "run_results")
    preview = json.loads(deployed.answer("batch", "preview", *options, "--json"))
    assert (preview["members"], preview["left_out"]) == (len(uploads), {"no source": 2})
    batch_id = preview["snapshot"]
    deployed.answer("batch", "start", str(batch_id), "--reason", "backfill", "--mode", "missing")
    deployed.stack.start_worker(*WORKER)
    deployed.deployment.wait_until(partial(deployed.is_done, batch_id))

    # Then every member is under its job's creation time, and nothing is left to request
    assert deployed.history.outcomes(batch_id) == {Outcome.DONE: len(uploads)}
    for artifact in uploads:
        stored = deployed.deployment.artifacts.find(artifact)
        assert stored is not None
        assert stored.object.key.startswith(f"jobs/{artifact.job_id}/2024/02/29/235959/")
    kinds = [ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_RESULTS]
    left = deployed.history.preview(never_requested=True, kinds=kinds)
    assert {member.job_id for member in left.examples} == {99}


def test_downloads_run_in_batches_as_well(deployed: Deployed) -> None:
    # Given a download that was given up, of what is stored now
    deployed.failed_configs(1)
    deployed.history.transfer(config_of(1), TransferState.CANCELLED, Direction.DOWNLOAD)
    deployed.stack.start_worker(*WORKER)
    upload = deployed.history.preview(directions=[Direction.UPLOAD]).batch.id
    deployed.history.start(upload)
    deployed.deployment.wait_until(partial(deployed.is_done, upload))
    deployed.stack.workspace.joinpath("job_1", "job_config.json").unlink()
    # When
    download = deployed.history.preview(directions=[Direction.DOWNLOAD]).batch.id
    deployed.history.start(download)
    deployed.deployment.wait_until(partial(deployed.is_done, download))
    # Then
    assert deployed.history.outcomes(download) == {Outcome.DONE: 1}
    assert deployed.stack.workspace.joinpath("job_1", "job_config.json").read_bytes() == b"{}"


def test_a_cancelled_batch_leaves_its_members_alone(deployed: Deployed) -> None:
    deployed.failed_configs(*range(1, 301))
    batch = deployed.history.started(max_in_flight=20)
    deployed.stack.start_worker(*WORKER)
    deployed.deployment.wait_until(lambda: deployed.ended(batch.id) >= 5)
    # When
    deployed.batches.cancel(batch.id)
    # Then
    outcomes = deployed.history.outcomes(batch.id)
    assert outcomes[Outcome.CANCELLED] > 200
    assert set(outcomes) <= {Outcome.DONE, Outcome.CANCELLED, Outcome.ACTIVE}


def test_a_message_carries_ids_and_its_batch_in_a_header(tmp_path: Path) -> None:
    # Given a running batch, and no worker
    with EmbeddedStack(tmp_path) as stack:
        deployed = Deployed(stack)
        deployed.failed_configs(1, 2)
        batch = deployed.history.started()
        # When the dispatch releases its members
        with patch.dict("os.environ", stack.settings()):
            app = producer_app(stack.broker.url)
            assert Composition(load(WorkerSettings), app).advance_batches() == 2
        # Then the messages are in a queue of their own
        with stack.broker.client() as client:
            messages = [json.loads(raw) for raw in client.lrange(BATCHES, 0, -1)]
            assert client.llen("configs") == 0
        assert len(messages) == 2
        for message in messages:
            args, kwargs, _embed = json.loads(b64decode(message["body"]))
            assert (args, set(kwargs)) == ([], {"job_id"})
            assert message["headers"][BATCH_HEADER] == batch.id
            assert message["headers"]["id"].startswith(f"batch-{batch.id}-")
