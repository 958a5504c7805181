"""Many workers that are told the same thing at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.embedded.stack import BUCKET, EmbeddedStack
from tests.databases import Databases
from tests.integration.deployment import Deployment
from tests.integration.events import listening

CREATED_AT = datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC)
WORKERS = 10


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def crowded(
    request: pytest.FixtureRequest,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    """Two worker processes with five children each; every PUT leaves a version of its own."""
    directory = tmp_path_factory.mktemp("crowded")
    with databases.fresh() as postgres_url:
        url = postgres_url if request.param == "postgresql" else None
        with EmbeddedStack(directory, url) as stack:
            stack.client().put_bucket_versioning(
                Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
            )
            for _ in range(2):
                stack.start_worker("--concurrency", str(WORKERS // 2))
            yield Deployment(stack)


@pytest.mark.parametrize("same_message", [True, False])
def test_ten_workers_one_upload(crowded: Deployment, *, same_message: bool) -> None:
    # Given one artifact, and ten deliveries of the same message or of ten messages
    artifact = Artifact(ArtifactKind.JOB_CONFIG, crowded.job(CREATED_AT))
    crowded.write(artifact)
    one = str(uuid4())
    requests = [one if same_message else str(uuid4()) for _ in range(WORKERS)]

    # When all arrive at once
    with listening(crowded.foreign) as events:
        barrier = threading.Barrier(WORKERS)
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda request: _send(crowded, artifact, request, barrier), requests))
        crowded.wait_until(lambda: events.count("task-succeeded", requests) == WORKERS)

    # Then there is one PUT, one artifact row, and ten clean ends
    stored = crowded.stored(artifact)
    versions = crowded.stack.client().list_object_versions(Bucket=BUCKET, Prefix=stored.object.key)
    assert len(versions["Versions"]) == 1
    assert len(crowded.artifacts.of_job(artifact.job_id)) == 1
    assert events.count("task-failed", requests) == 0
    states = {transfer.state for transfer in crowded.transfers.of_job(artifact.job_id)}
    assert states == {TransferState.DONE}


def _send(
    crowded: Deployment, artifact: Artifact, request_id: str, barrier: threading.Barrier
) -> None:
    barrier.wait()
    crowded.send(artifact, request_id)
