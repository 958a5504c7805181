from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import handlers
from botocore.endpoint import Endpoint
from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.store import S3ObjectStore
from tests.s3.recording_server import RecordingServer, recording
from tests.s3.results_steps import FILES
from tests.s3.steps import Requests, client_at, store_of
from tests.workspace.trees import plant


@pytest.fixture(autouse=True)
def _no_backoff(no_backoff: None) -> None:
    """How long botocore waits between its tries is not ours to test."""


@pytest.fixture
def s3_client(ministack: Ministack) -> S3Client:
    """A client of the S3 server that verifies checksums."""
    return client_at(ministack.url)


@pytest.fixture
def store(s3_client: S3Client, bucket: str) -> S3ObjectStore:
    """On the server that verifies checksums, with small parts."""
    return store_of(s3_client, bucket)


@pytest.fixture
def requests(s3_client: S3Client, bucket: str) -> Requests:  # noqa: ARG001 - its creation is not counted
    return Requests(s3_client)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """With the results of run 4, and something that is none of them."""
    plant(tmp_path / "results", {**FILES, "notes.txt": b"mine", "RUN.log": b"mine"})
    return tmp_path / "results"


@pytest.fixture(scope="module")
def recorder() -> Iterator[RecordingServer]:
    with recording() as made:
        yield made


@pytest.fixture
def plain_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out moto, which watches all requests once another test has imported it."""
    own = [each for each in handlers.BUILTIN_HANDLERS if "moto" not in repr(each)]
    monkeypatch.setattr(handlers, "BUILTIN_HANDLERS", own)


@pytest.fixture
def server(recorder: RecordingServer) -> RecordingServer:
    """A server that keeps the requests of one test."""
    recorder.taken()
    recorder.answers.clear()
    return recorder


@pytest.fixture
def made_by_botocore(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations whose requests botocore makes."""
    names: list[str] = []
    make: Any = Endpoint.make_request

    def noting(self: Any, operation: Any, request: Any) -> Any:
        names.append(operation.name)
        return make(self, operation, request)

    monkeypatch.setattr(Endpoint, "make_request", noting)
    return names
