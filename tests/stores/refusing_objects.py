"""An S3 in this process that refuses some objects, whatever is asked of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws
from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.composition import clients
from artifact_pipeline.worker.s3.client import make_client
from tests.s3.steps import answer_instead, answer_of, error_of

SSE_C = (400, "InvalidRequest")
"""The answer for an object that is encrypted with a client's key: a HEAD has the status alone."""
DENIED = (403, "AccessDenied")
AWAY = (503, "SlowDown")


@dataclass
class Refusals:
    """Attributes: `answers` by the end of the object's key, or for a LIST by its prefix."""

    answers: dict[str, tuple[int, str]] = field(default_factory=dict)

    def __call__(self, _operation: str, request: AWSPreparedRequest) -> AWSResponse | None:
        for name, (status, code) in self.answers.items():
            if (
                request.url.partition("?")[0].endswith(f"/{name}")
                or f"prefix={name}" in request.url
            ):
                # The answer to a HEAD has no body, and so no code.
                return answer_of(status) if request.method == "HEAD" else error_of(status, code)
        return None


@contextmanager
def refusing_store() -> Iterator[Refusals]:
    """Serve AWS's S3 from memory; the clients that commands make meet the refusals."""
    refusals = Refusals()

    def make(*args: Any, **options: Any) -> S3Client:
        client = make_client(*args, **options)
        answer_instead(client, refusals)
        return client

    with mock_aws(), patch.object(clients, "make_client", make):
        yield refusals
