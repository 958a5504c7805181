"""Files that are sent in parts: no part is in memory, and each is read again for each attempt."""

import os
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.domain.errors import ChecksumMismatchError, SourceChangedError
from artifact_pipeline.domain.ports.workspace import IOpenFile
from artifact_pipeline.worker.s3.abilities import Checksum, StoreAbilities
from artifact_pipeline.worker.s3.direct_requests import send
from artifact_pipeline.worker.s3.store import S3ObjectStore
from artifact_pipeline.worker.s3.upload_parts import FileBody
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.files import FileSource
from tests.s3.direct_steps import BUCKET
from tests.s3.direct_steps import client_at as client_of
from tests.s3.recording_server import LOST, RecordingServer, Said
from tests.s3.steps import KEY, MIB, PART, Progress, put, random_bytes, store_of
from tests.workspace.test_file_changes import grow, rewrite_and_put_the_time_back
from tests.workspace.trees import LOGS

CONTENT = random_bytes(3 * PART + 100)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    path = Workspace(tmp_path).path(LOGS)
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def source(tmp_path: Path, logs: Path) -> FileSource:  # noqa: ARG001 - the file has to be there
    source = Workspace(tmp_path).source(LOGS)
    assert isinstance(source, FileSource)
    return source


class _Hashing:
    """A client that keeps nothing of the parts but their digests."""

    def __init__(self) -> None:
        self.digests: dict[int, str] = {}

    def create_multipart_upload(self, **_: Any) -> dict[str, str]:
        return {"UploadId": "upload"}

    def upload_part(self, **part: Any) -> dict[str, str]:
        digest = sha256()
        while piece := part["Body"].read(PART):
            digest.update(piece)
        self.digests[part["PartNumber"]] = digest.hexdigest()
        return {"ETag": "e"}

    def complete_multipart_upload(self, **_: Any) -> dict[str, str]:
        return {"ETag": "e"}


def test_no_part_of_a_file_is_in_memory(tmp_path: Path, logs: Path) -> None:
    # Given a file of eight parts of 8 MiB
    part = 8 * MIB
    os.truncate(logs, 8 * part)
    hashing = _Hashing()
    client: Any = hashing
    store = store_of(client, "bucket", multipart_threshold=part, part_size=part)
    # When
    tracemalloc.start()
    try:
        stored = put(store, Workspace(tmp_path).source(LOGS))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Then
    empty = sha256(bytes(part)).hexdigest()
    assert stored.sha256 == sha256(logs.read_bytes()).hexdigest()
    assert [hashing.digests[number] for number in range(2, 9)] == [empty] * 7
    assert peak < part / 2


@pytest.mark.parametrize("checksum", [Checksum.SHA256, Checksum.MD5], ids=str)
def test_a_file_arrives_as_it_is(
    s3_client: S3Client, bucket: str, source: FileSource, checksum: Checksum
) -> None:
    # Given a client that sends parts by direct requests
    store = store_of(s3_client, bucket, abilities=StoreAbilities(checksum=checksum))
    put(store, source, key="earlier")
    # When
    stored = put(store, source)
    # Then
    there = s3_client.get_object(Bucket=bucket, Key=KEY)["Body"].read()
    assert (there, stored.sha256) == (CONTENT, sha256(CONTENT).hexdigest())
    assert stored.checksum is not None
    assert stored.checksum.parts == 4


@pytest.mark.usefixtures("plain_botocore")
@pytest.mark.parametrize("said", [Said(503), LOST], ids=["refused", "lost"])
def test_another_attempt_reads_the_part_again(
    server: RecordingServer, source: FileSource, said: Said
) -> None:
    # Given a client that sends parts by direct requests
    client = client_of(server)
    with source.opened() as file:

        def send_part(number: int) -> None:
            start = number * PART
            given = {"Bucket": BUCKET, "Key": KEY, "UploadId": "u", "PartNumber": number}
            digest = sha256(CONTENT[start : start + PART]).digest()
            body = FileBody(file, start, PART)
            send(client, "upload_part", given, body=body, length=PART, sha256=digest)

        send_part(1)
        server.taken()
        # When
        server.answers.append(said)
        send_part(2)
    # Then
    assert [each.body for each in server.taken()] == [CONTENT[2 * PART : 3 * PART]] * 2


@dataclass
class _Changing(Progress):
    """Changes the file before the second part is sent, when it is hashed already."""

    change: Callable[[], None]

    def __post_init__(self) -> None:
        super().__init__()

    def checkpoint(self) -> None:
        super().checkpoint()
        if self.checkpoints == 2:
            self.change()


def shrink(path: Path) -> None:
    os.truncate(path, PART + 1)


@pytest.mark.parametrize("change", [grow, shrink, rewrite_and_put_the_time_back])
def test_a_file_that_changes_before_a_part_is_sent_is_not_stored(
    store: S3ObjectStore, logs: Path, source: FileSource, change: Callable[[Path], None]
) -> None:
    with pytest.raises(SourceChangedError):
        put(store, source, _Changing(lambda: change(logs)))
    assert not _exists(store)


class _Unstamped(FileSource):
    """A file that changes as often as it is read, without a trace in its times."""

    @contextmanager
    def opened(self) -> Iterator[IOpenFile]:  # type: ignore[override]
        with super().opened() as file:
            yield _UnstampedFile(file)


@dataclass
class _UnstampedFile:
    file: IOpenFile
    reads: int = 0

    @property
    def size(self) -> int:
        return self.file.size

    def read_into(self, buffer: memoryview, at: int) -> None:
        self.file.read_into(buffer, at)
        self.reads += 1
        if buffer:
            buffer[0] = self.reads % 256

    def check(self) -> None:
        """Find nothing."""


def test_a_change_that_leaves_no_trace_is_found_by_the_store(
    store: S3ObjectStore, source: FileSource
) -> None:
    source.__class__ = _Unstamped
    with pytest.raises(ChecksumMismatchError, match="UploadPart"):
        put(store, source)
    assert not _exists(store)


def _exists(store: S3ObjectStore) -> bool:
    return "Contents" in store.client.list_objects_v2(Bucket=store.bucket, Prefix=KEY)
