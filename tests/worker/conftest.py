import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from artifact_pipeline.worker.file_store.root import StoreRoot
from artifact_pipeline.worker.messages.handled_uploads import HandledUploads


@pytest.fixture
def good(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """Settings that are all a worker needs, in an environment without any other.

    Nothing listens at any of the addresses.
    """
    for name in [name for name in os.environ if name.startswith(("ARTIFACTS_", "AWS_"))]:
        monkeypatch.delenv(name)
    settings = {
        "ARTIFACTS_DATABASE_URL": "postgresql+psycopg://u:p@127.0.0.1:1/db",
        "ARTIFACTS_BROKER_URL": "redis://127.0.0.1:1/0",
        "ARTIFACTS_BUCKET": "artifacts",
        "ARTIFACTS_S3_ENDPOINT_URL": "http://127.0.0.1:1",
        "ARTIFACTS_WORKSPACE": str(tmp_path),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def handled() -> Iterator[HandledUploads]:
    with closing(HandledUploads()) as handled:
        yield handled


@pytest.fixture
def store(tmp_path: Path, good: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is the configured store."""
    del good
    path = tmp_path / "store"
    path.mkdir()
    StoreRoot(path).initialize()
    for name in ("ARTIFACTS_BUCKET", "ARTIFACTS_S3_ENDPOINT_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("ARTIFACTS_STORE", path.as_uri())
    return path
