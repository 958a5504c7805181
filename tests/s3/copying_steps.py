"""What the tests of copying on one S3 server are written with."""

from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.worker.s3.checksums import as_base64, composite
from artifact_pipeline.worker.s3.copying import S3ObjectCopier
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from tests.contract.copier_steps import OLD_KEY
from tests.s3.steps import KEY, PART, answer_instead, answer_of, client_at, random_bytes

SMALL = random_bytes(PART)
PARTS = 5
CONTENT = random_bytes(PARTS * PART - 100)


def copier_of(client: S3Client, bucket: str, **changes: Any) -> S3ObjectCopier:
    """With parts far smaller than S3's smallest, which moto refuses and ministack takes."""
    copier = S3ObjectCopier(
        client=client,
        bucket=bucket,
        encryption=Encryption("AES256"),
        reader=S3ObjectReader(client=client, bucket=bucket),
        threads=4,
        multipart_threshold=PART,
        part_size=PART,
    )
    return replace(copier, **changes)


def another(client: S3Client) -> S3Client:
    """A client of the same server, whose requests nobody counts or changes."""
    return client_at(client.meta.endpoint_url)


def store_source(copier: S3ObjectCopier, content: bytes) -> BucketObject:
    client, address = another(copier.client), ObjectAddress(copier.bucket, OLD_KEY)
    client.put_object(Bucket=copier.bucket, Key=OLD_KEY, Body=content, ChecksumAlgorithm="SHA256")
    found = S3ObjectReader(client=client, bucket=copier.bucket).find(address)
    assert found is not None
    return found


def body(copier: S3ObjectCopier) -> bytes | None:
    """Of the copy, if it is there."""
    client = another(copier.client)
    try:
        return client.get_object(Bucket=copier.bucket, Key=KEY)["Body"].read()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchKey"  # noqa: PT017 - none other is right
        return None


def parts_of(copier: S3ObjectCopier, upload_id: str | None) -> list[int]:
    """The numbers of those that are there, of an upload that nobody aborted."""
    assert upload_id is not None
    listed = another(copier.client).list_parts(Bucket=copier.bucket, Key=KEY, UploadId=upload_id)
    return [part["PartNumber"] for part in listed.get("Parts", [])]


def open_uploads(copier: S3ObjectCopier) -> int:
    listed = another(copier.client).list_multipart_uploads(Bucket=copier.bucket)
    return len(listed.get("Uploads", []))


def instead_of(copier: S3ObjectCopier, operation: str, answer: AWSResponse) -> None:
    """Answer this operation here, each time."""
    content = answer.content.decode()

    def answer_it(asked: str, _request: AWSPreparedRequest) -> AWSResponse | None:
        return answer_of(answer.status_code, content) if asked == operation else None

    answer_instead(copier.client, answer_it)


class Summing:
    """Has a client see what S3 answers, and the server lacks: the checksums of copied parts.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
    """

    def __init__(self, client: S3Client) -> None:
        self._another = another(client)
        self._sums: dict[tuple[str, int], bytes] = {}
        for operation, before, after in (
            ("UploadPartCopy", self._remember, self._sum),
            ("ListParts", self._remember, self._list),
            ("CompleteMultipartUpload", self._compare, self._complete),
        ):
            client.meta.events.register(f"before-parameter-build.s3.{operation}", before)
            client.meta.events.register(f"after-call.s3.{operation}", after)

    def _remember(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["asked"] = params

    def _sum(self, parsed: dict[str, Any], context: dict[str, Any], **__: Any) -> None:
        if "CopyPartResult" not in parsed:
            return
        asked = context["asked"]
        wanted = {"Range": asked["CopySourceRange"]} if "CopySourceRange" in asked else {}
        bucket, _, key = unquote(asked["CopySource"]).partition("/")
        copied = self._another.get_object(Bucket=bucket, Key=key, **wanted)["Body"].read()
        digest = sha256(copied).digest()
        self._sums[asked["UploadId"], asked["PartNumber"]] = digest
        parsed["CopyPartResult"]["ChecksumSHA256"] = as_base64(digest)

    def _list(self, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        for part in parsed.get("Parts", []):
            digest = self._sums[context["asked"]["UploadId"], part["PartNumber"]]
            part["ChecksumSHA256"] = as_base64(digest)

    def _compare(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        """S3 refuses a part without its checksum, and the server one with it."""
        parts = params["MultipartUpload"]["Parts"]
        sums = [self._sums[params["UploadId"], part["PartNumber"]] for part in parts]
        assert [part["ChecksumSHA256"] for part in parts] == [as_base64(each) for each in sums]
        bare = [{name: part[name] for name in ("PartNumber", "ETag")} for part in parts]
        params["MultipartUpload"] = {"Parts": bare}
        context["composite"] = composite(sums)

    def _complete(self, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        if "ETag" in parsed:
            parsed["ChecksumSHA256"] = context["composite"]
