"""What an object's encryption is, and what its bucket's default decides."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.model.preconditions import Create
from artifact_pipeline.worker.s3.encryption import Encryption, encryption_of, has_md5_etag
from artifact_pipeline.worker.s3.results import S3ResultsRepository
from tests.s3.copying_steps import copier_of, store_source
from tests.s3.results_steps import PREFIX
from tests.s3.steps import KEY, PART, Progress, put, random_bytes, store_of

KMS_KEY = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"
KMS = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KMS_KEY}


@pytest.mark.parametrize(
    ("answer", "encryption", "has_md5"),
    [
        ({}, Encryption(), True),
        ({"ServerSideEncryption": "AES256"}, Encryption("AES256"), True),
        (KMS, Encryption("aws:kms", KMS_KEY), False),
        ({"ServerSideEncryption": "aws:kms:dsse"}, Encryption("aws:kms:dsse"), False),
        ({"SSECustomerAlgorithm": "AES256"}, Encryption(), False),
    ],
)
def test_an_answer_tells_the_encryption(
    answer: dict[str, str], encryption: Encryption, *, has_md5: bool
) -> None:
    assert encryption_of(answer) == encryption
    assert has_md5_etag(answer) is has_md5


def upload(client: S3Client, bucket: str, size: int) -> None:
    put(store_of(client, bucket, encryption=Encryption()), random_bytes(size))


def copy(client: S3Client, bucket: str, size: int) -> None:
    copier = replace(copier_of(client, bucket), encryption=Encryption())
    source = store_source(copier, random_bytes(size))
    copier.copy(
        source,
        KEY,
        content_type="application/zip",
        metadata={},
        precondition=Create(),
        tier_name="",
        progress=Progress(),
    )


def upload_results(client: S3Client, bucket: str, size: int) -> None:
    results = S3ResultsRepository(
        bucket, s3_client=client, multipart_threshold=PART, part_size=PART, threads=1
    )
    results.upload_results(PREFIX.job_id, 4, random_bytes(size), PREFIX)


@pytest.mark.parametrize("size", [10, 2 * PART], ids=["small", "large"])
@pytest.mark.parametrize("write", [upload, copy, upload_results])
def test_by_default_the_bucket_decides(
    s3_client: S3Client, bucket: str, write: Callable[[S3Client, str, int], None], size: int
) -> None:
    # Given a bucket that encrypts by a key of KMS
    s3_client.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": KMS_KEY,
                    }
                }
            ]
        },
    )
    # When
    write(s3_client, bucket, size)
    # Then
    head = s3_client.head_object(Bucket=bucket, Key=KEY)
    assert encryption_of(head) == Encryption("aws:kms", KMS_KEY)
