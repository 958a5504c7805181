"""What the tests of presigned URLs share."""

from urllib.parse import parse_qs, urlsplit

from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.presign import Presigner
from tests.s3.steps import client_at

AES256 = Encryption("AES256")
SSE = "x-amz-server-side-encryption"


def presigner(client: S3Client | None = None, seconds: int = 600) -> Presigner:
    return Presigner(client or client_at(None), seconds)


def query(location: UploadLocation) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(location.url).query).items()}
