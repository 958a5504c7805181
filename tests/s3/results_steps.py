"""Results on the disk, and who uploads them."""

from datetime import UTC, datetime
from pathlib import Path

from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.ports.platform import IResultsRepository, SentResults
from tests.s3.steps import KEY

PREFIX = JobS3Prefix(12, datetime(2025, 10, 23, 21, 15, tzinfo=UTC))
FILES = {"RUN1/out.csv": b"day,ill\n1,2\n", "RUN2/deep/er.txt": b"deep"}


def upload(results: IResultsRepository, directory: Path) -> SentResults:
    return results.upload_results(4, directory, PREFIX)


def body_of(client: S3Client, bucket: str) -> bytes:
    return client.get_object(Bucket=bucket, Key=KEY)["Body"].read()
