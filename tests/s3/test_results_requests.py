"""What S3 is asked when results are stored without a worker, and when it goes wrong."""

from collections.abc import Mapping
from hashlib import sha256
from itertools import islice
from pathlib import Path
from urllib.request import urlopen

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    ObjectReplacedError,
    SourceChangedError,
)
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.s3.results import S3ResultsRepository
from artifact_pipeline.worker.workspace.enclosure import Enclosure
from artifact_pipeline.worker.workspace.zip_stream import ZippedDirectory
from tests.s3.copying_steps import another
from tests.s3.results_steps import FILES, body_of, upload
from tests.s3.steps import (
    KEY,
    PART,
    Requests,
    answer_instead,
    answer_of,
    error_of,
    random_bytes,
)
from tests.workspace.trees import RESULTS, all_of, link, plant, unzipped

pytestmark = pytest.mark.processes

LARGE = {"RUN1/noise": random_bytes(3 * PART)}
"""Four parts as a zip."""
PARTS = 4


@pytest.fixture
def repository(s3_client: S3Client, bucket: str) -> S3ResultsRepository:
    """On the server that verifies checksums, with small parts."""
    return S3ResultsRepository(
        bucket,
        s3_client=s3_client,
        encryption=Encryption("AES256"),
        multipart_threshold=PART,
        part_size=PART,
        threads=1,
    )


@pytest.fixture
def large(tmp_path: Path) -> Path:
    plant(tmp_path / "large", LARGE)
    return tmp_path / "large"


class TestSent:
    @pytest.mark.parametrize("files", [FILES, LARGE], ids=["small", "large"])
    def test_the_bytes_are_those_that_a_worker_would_send(
        self,
        repository: S3ResultsRepository,
        bucket: str,
        s3_client: S3Client,
        tmp_path: Path,
        files: Mapping[str, bytes],
    ) -> None:
        plant(tmp_path, files)
        link(tmp_path / "RUN1" / "out", tmp_path.parent)
        sent = upload(repository, tmp_path)
        by_a_worker = ZippedDirectory(RESULTS, Enclosure(tmp_path.parent, tmp_path.name))
        assert body_of(s3_client, bucket) == all_of(by_a_worker)
        assert sent.links_left_out == by_a_worker.links_left_out == 1
        head = s3_client.head_object(Bucket=bucket, Key=KEY)
        assert (head["ContentType"], head["ServerSideEncryption"]) == ("application/zip", "AES256")
        assert head["Metadata"].items() >= RESULTS.metadata.items()

    def test_small_ones_are_one_put_and_large_ones_parts(
        self, repository: S3ResultsRepository, requests: Requests, directory: Path, large: Path
    ) -> None:
        upload(repository, directory)
        assert requests.names == ["HeadObject", "PutObject"]
        upload(repository, large)
        assert requests.names[2:4] == ["HeadObject", "CreateMultipartUpload"]
        assert requests.names[4:] == ["UploadPart"] * PARTS + ["CompleteMultipartUpload"]

    def test_unchanged_ones_are_sent_again(
        self, repository: S3ResultsRepository, requests: Requests, large: Path
    ) -> None:
        first, again = upload(repository, large), upload(repository, large)
        assert requests.count("UploadPart") == 2 * PARTS
        assert again.object == first.object

    def test_the_url_gives_them(self, repository: S3ResultsRepository, directory: Path) -> None:
        sent = upload(repository, directory)
        url = repository.get_download_url(sent.location).url
        with urlopen(url) as answer:  # noqa: S310 - our own server
            assert sha256(answer.read()).hexdigest() == sent.object.sha256


class TestFailed:
    def test_others_that_were_stored_meanwhile_are_replaced(
        self, repository: S3ResultsRepository, s3_client: S3Client, bucket: str, large: Path
    ) -> None:
        requests = Requests(s3_client)
        _store_others(s3_client, bucket, times=2)
        upload(repository, large)
        assert unzipped(body_of(s3_client, bucket)) == LARGE
        # No part was sent anew for it.
        counts = [requests.count(name) for name in ("UploadPart", "CompleteMultipartUpload")]
        assert (counts, _open_uploads(s3_client, bucket)) == ([PARTS, 3], 0)

    def test_others_that_keep_being_stored_are_left(
        self, repository: S3ResultsRepository, s3_client: S3Client, bucket: str, large: Path
    ) -> None:
        _store_others(s3_client, bucket, times=3)
        with pytest.raises(ObjectReplacedError):
            upload(repository, large)
        assert (body_of(s3_client, bucket), _open_uploads(s3_client, bucket)) == (b"other 2", 0)

    @pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
    def test_nothing_is_left_of_what_failed(
        self,
        repository: S3ResultsRepository,
        s3_client: S3Client,
        bucket: str,
        large: Path,
        operation: str,
    ) -> None:
        _refuse(s3_client, operation)
        with pytest.raises(AccessDeniedError):
            upload(repository, large)
        assert _open_uploads(s3_client, bucket) == 0
        assert another(s3_client).list_objects_v2(Bucket=bucket)["KeyCount"] == 0

    def test_nor_of_what_changed_while_it_was_sent(
        self, repository: S3ResultsRepository, s3_client: S3Client, bucket: str, large: Path
    ) -> None:
        def change(*_: object) -> None:
            plant(large, {"RUN2/more.txt": b"more"})

        answer_instead(s3_client, change)
        with pytest.raises(SourceChangedError):
            upload(repository, large)
        assert _open_uploads(s3_client, bucket) == 0

    def test_why_it_failed_is_told_though_its_parts_cannot_be_dropped(
        self,
        repository: S3ResultsRepository,
        s3_client: S3Client,
        bucket: str,
        large: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        _refuse(s3_client, "UploadPart", "AbortMultipartUpload")
        with pytest.raises(AccessDeniedError, match=r"^UploadPart: AccessDenied$"):
            upload(repository, large)
        assert _open_uploads(s3_client, bucket) == 1
        (logged,) = caplog.messages
        assert logged.endswith("are still there: AbortMultipartUpload: AccessDenied")


def _refuse(client: S3Client, *operations: str) -> None:
    denied = error_of(403, "AccessDenied").content.decode()
    answer_instead(client, lambda asked, _: answer_of(403, denied) if asked in operations else None)


def _store_others(client: S3Client, bucket: str, times: int) -> None:
    """Have others stored just before the results would appear, each time different ones."""
    left = iter(range(times))

    def act(asked: str, _: object) -> None:
        for number in islice(left, asked == "CompleteMultipartUpload"):
            body = f"other {number}".encode()
            another(client).put_object(Bucket=bucket, Key=KEY, Body=body)

    answer_instead(client, act)


def _open_uploads(client: S3Client, bucket: str) -> int:
    return len(another(client).list_multipart_uploads(Bucket=bucket).get("Uploads", []))
