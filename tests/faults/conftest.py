"""The S3 server, straight and through its proxy."""

from collections.abc import Iterator

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.embedded.servers import Ministack
from tests.faults.s3_proxy import FaultyS3
from tests.faults.s3_steps import client_at


@pytest.fixture
def s3_client(ministack: Ministack) -> S3Client:
    """Straight to the server."""
    return client_at(ministack.url)


@pytest.fixture
def s3(ministack: Ministack) -> Iterator[FaultyS3]:
    with FaultyS3(ministack.port) as proxy:
        yield proxy


@pytest.fixture
def client(s3: FaultyS3) -> S3Client:
    """Through the proxy."""
    return client_at(s3.url)
