"""A real worker, broker and database, and a directory instead of S3."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.file_store.root import StoreRoot
from artifact_pipeline.worker.sql.platform_tables import RunRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.integration.deployment import Deployment

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
_MIB = 2**20


@dataclass(frozen=True)
class OnFiles:
    deployed: Deployment
    root: StoreRoot


@pytest.fixture(scope="module")
def on_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnFiles]:
    """A worker that knows no bucket."""
    directory = tmp_path_factory.mktemp("on-files")
    root = StoreRoot(directory / "store")
    root.path.mkdir()
    root.initialize()
    with EmbeddedStack(directory) as stack:
        settings = {
            "ARTIFACTS_STORE": root.url,
            "ARTIFACTS_BUCKET": "",
            "ARTIFACTS_S3_ENDPOINT_URL": "http://127.0.0.1:1",
            "ARTIFACTS_PART_SIZE": str(5 * _MIB),
            "ARTIFACTS_MULTIPART_THRESHOLD": str(5 * _MIB),
            "ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "0",
        }
        stack.start_worker("--concurrency", "1", "--beat", environment=settings)
        yield OnFiles(Deployment(stack), root)


def test_what_is_uploaded_is_recorded_and_can_be_downloaded(on_files: OnFiles) -> None:
    # Given a large input
    deployed = on_files.deployed
    artifact = Artifact(ArtifactKind.JOB_INPUT, deployed.job(CREATED_AT))
    content = os.urandom(12 * _MIB + 1)
    source = deployed.write(artifact, content)
    # When it is uploaded
    deployed.send(artifact)
    stored = deployed.stored(artifact)
    # Then it is a file, and recorded
    path = on_files.root.path / stored.object.key
    assert path.read_bytes() == content
    assert stored.object.sha256 == sha256(content).hexdigest()
    assert list((on_files.root.path / ".artifacts/uploads").iterdir()) == []
    # When it is downloaded to where it is missing
    source.unlink()
    transfers = SqlTransfers(deployed.stack.engine)
    transfers.request(artifact, Direction.DOWNLOAD, "download")
    ended = deployed.ended(artifact, Direction.DOWNLOAD)
    # Then
    assert ended.state is TransferState.DONE
    assert source.read_bytes() == content


def test_results_are_zipped_into_the_store_and_the_run_is_done(on_files: OnFiles) -> None:
    # Given
    deployed = on_files.deployed
    job_id = deployed.job(CREATED_AT)
    run_id = deployed.run(job_id, CREATED_AT)
    artifact = Artifact(ArtifactKind.RUN_RESULTS, job_id, run_id)
    deployed.write(artifact)
    # When
    deployed.send(artifact)
    stored = deployed.stored(artifact)
    # Then the platform's row names the file
    with Session(deployed.stack.engine) as session:
        run = session.get_one(RunRow, run_id)
        assert (run.status, run.results_url) == ("DONE", on_files.root.url_of(stored.object.key))
    # And the same again sends nothing
    deployed.await_another(artifact)
    deployed.send(artifact)
    assert deployed.ended(artifact).bytes_sent == 0


def test_transfers_wait_while_the_store_is_not_mounted(on_files: OnFiles) -> None:
    # Given a share that is unmounted, which leaves an empty directory
    deployed, root = on_files.deployed, on_files.root.path
    away = Path(f"{root}.away")
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployed.job(CREATED_AT))
    deployed.write(artifact)
    root.rename(away)
    root.mkdir()
    # When
    deployed.send(artifact)
    deployed.wait_until(lambda: _is_waiting(deployed, artifact))
    # Then nothing was written below the mount point, and it is done when the share is back
    assert list(root.iterdir()) == []
    root.rmdir()
    away.rename(root)
    assert (root / deployed.stored(artifact).object.key).is_file()


def _is_waiting(deployed: Deployment, artifact: Artifact) -> bool:
    latest = deployed.transfers.latest(artifact, Direction.UPLOAD)
    return latest is not None and latest.reason_code == "s3_unavailable"
