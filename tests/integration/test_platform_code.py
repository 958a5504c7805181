"""The platform's own list, download and archive, which go by its own columns alone."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from mypy_boto3_s3 import S3Client
from sqlalchemy import Engine, text

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.found_artifacts import FoundBy
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.composition.adapters import Adapters
from artifact_pipeline.worker.embedded.stack import BUCKET, EmbeddedStack
from artifact_pipeline.worker.settings import OperatorSettings, load
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.migrate import upgrade
from tests.integration.deployment import Deployment
from tests.sql.platform_ddl import make_platform

JOB, RUN = 31, 8
DIRECTORY = f"jobs/{JOB}/2025/10/23/211500/"
NAMES = {
    "job_config.json": Artifact(ArtifactKind.JOB_CONFIG, JOB),
    "job_input.zip": Artifact(ArtifactKind.JOB_INPUT, JOB),
    f"run_{RUN}_config.json": Artifact(ArtifactKind.RUN_CONFIG, JOB, RUN),
    f"run_{RUN}_results.zip": Artifact(ArtifactKind.RUN_RESULTS, JOB, RUN),
}
"""What the platform has a column for, by the names under which it saves it."""
_VALUES = {
    "job": JOB,
    "run": RUN,
    "job_created_at": datetime(2025, 10, 23, 21, 15),  # noqa: DTZ001 - as in its columns
    "run_created_at": datetime(2025, 10, 26, 9, 0),  # noqa: DTZ001
}
_JOB = """
INSERT INTO jobs (id, user_id, tags, status, created_at, updated_at, job_metadata)
VALUES (:job, 7, '[]', 'CREATED', :job_created_at, :job_created_at, '{}')
"""
_RUN = """
INSERT INTO runs (id, job_id, user_id, created_at, updated_at, request, pod_phase, status,
                  user_deleted, epx_client_version)
VALUES (:run, :job, 7, :run_created_at, :run_created_at, '{}', 'PENDING', 'QUEUED', 0, '1.2.2')
"""
_COLUMNS = (
    "SELECT config_location, input_location FROM jobs WHERE id = :job",
    "SELECT config_url, results_url FROM runs WHERE job_id = :job",
)


class PlatformCode:
    """Knows its tables and the bucket; it has none of the pipeline's types."""

    def __init__(self, engine: Engine, client: S3Client) -> None:
        self._engine = engine
        self._client = client

    def create_job(self) -> None:
        with self._engine.begin() as connection:
            for statement in (_JOB, _RUN):
                connection.execute(text(statement), _VALUES)

    def list_uploads(self) -> dict[str, str]:
        """Return the key of each upload by its file name."""
        with self._engine.connect() as connection:
            rows = [
                connection.execute(text(statement), {"job": JOB}).one() for statement in _COLUMNS
            ]
        parts = [urlsplit(url) for row in rows for url in row if url]
        assert not any(part.query for part in parts)
        keys = [unquote(part.path).removeprefix(f"/{BUCKET}/") for part in parts]
        return {Path(key).name: key for key in keys}

    def download(self, directory: Path) -> None:
        for name, key in self.list_uploads().items():
            self._client.download_file(BUCKET, key, str(directory / name))

    def archive(self) -> None:
        for key in self.list_uploads().values():
            source = {"Bucket": BUCKET, "Key": key}
            self._client.copy_object(
                Bucket=BUCKET,
                Key=key,
                CopySource=source,  # type: ignore[arg-type]  # a dictionary that is one
                StorageClass="GLACIER",
                MetadataDirective="COPY",
            )


@pytest.fixture
def deployment(empty_url: str, tmp_path: Path) -> Iterator[Deployment]:
    """A worker on a database that the platform's migrations have made."""
    engine = make_engine(empty_url)
    make_platform(engine)
    upgrade(engine)
    engine.dispose()
    with EmbeddedStack(tmp_path, empty_url) as stack:
        stack.start_worker("--concurrency", "2")
        yield Deployment(stack)


@pytest.fixture
def platform(deployment: Deployment) -> PlatformCode:
    return PlatformCode(deployment.stack.engine, deployment.stack.client())


def test_the_platforms_code_lists_downloads_and_archives_what_our_worker_stored(
    deployment: Deployment,
    platform: PlatformCode,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a job whose run was created three days later, and uploads requested by bare messages
    platform.create_job()
    for artifact in NAMES.values():
        deployment.write(artifact)
        deployment.send(artifact)
    for artifact in NAMES.values():
        deployment.stored(artifact)

    # When the platform lists them, then all are in the directory of the job's creation time
    assert platform.list_uploads() == {name: f"{DIRECTORY}{name}" for name in NAMES}

    # And it downloads what was stored, under the names that its runner reads
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    platform.download(downloads)
    assert {path.name for path in downloads.iterdir()} == set(NAMES)
    assert (downloads / "job_config.json").read_bytes() == b"content"

    # And what it archives by itself is archived for the pipeline, too
    platform.archive()
    for name, value in deployment.stack.settings().items():
        monkeypatch.setenv(name, value)
    adapters = Adapters(load(OperatorSettings), owner="test")
    found = {each.artifact: each for each in adapters.locate.of_job(JOB)}
    adapters.close()
    assert set(found) == set(NAMES.values())
    assert all(each.object.is_archived for each in found.values())
    assert {each.found_by for each in found.values()} <= {FoundBy.ROW, FoundBy.KEY}
