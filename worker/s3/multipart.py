"""Multipart uploads that another attempt can go on with.

A part is known by its checksum, by default its SHA-256. What S3 already has under a number is kept
if it equals the part that would be sent under it, so that resuming needs no state but the upload
id, and a source that changed simply has other parts. A part for which S3 lists no checksum is sent
again.
"""

import base64
import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from artifact_pipeline.domain.ports.object_store import UploadProgress
from artifact_pipeline.worker.s3 import direct_requests
from artifact_pipeline.worker.s3.bandwidth import UNLIMITED, Bandwidth
from artifact_pipeline.worker.s3.checksums import acknowledged_etag, composite
from artifact_pipeline.worker.s3.errors import code_of
from artifact_pipeline.worker.s3.integrity import SHA256, Integrity
from artifact_pipeline.worker.s3.upload_parts import Part

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, CompleteMultipartUploadOutputTypeDef


@dataclass(frozen=True, slots=True)
class SentPart:
    """A part that S3 has.

    Attributes:
        digest: its SHA-256.
        is_summed: whether S3 has the SHA-256 too.
        has_md5_etag: where S3's answer says so.
        checksum: the one that S3 checks or lists, in base64, or empty.
        is_proven: whether its bytes need not be read back.
    """

    number: int
    etag: str
    digest: bytes
    size: int
    bytes_sent: int
    is_summed: bool = True
    has_md5_etag: bool = False
    checksum: str = ""
    is_proven: bool = True


def is_part(part: SentPart, integrity: Integrity, content: bytes) -> bool:
    """Return whether S3 has these bytes as the part, by the checksum that it lists."""
    checksum = integrity.of([content], hashlib.sha256(content).digest())
    return bool(checksum) and (part.checksum, part.size) == (checksum, len(content))


Send = Callable[[str], SentPart]
"""Sends a part of the upload that has this id, unless it is there."""


@dataclass(frozen=True, slots=True)
class SentUpload:
    """Every part of it is in S3; the object appears when it is completed."""

    upload_id: str
    parts: list[SentPart]

    @property
    def checksum(self) -> str:
        return composite([part.digest for part in self.parts])

    @property
    def is_proven(self) -> bool:
        """Whether the object need not be read back."""
        return all(part.is_proven for part in self.parts)

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def bytes_sent(self) -> int:
        return sum(part.bytes_sent for part in self.parts)


class _StoppedError(Exception):
    """Another part failed, or the worker stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultipartUpload:
    """One object, sent in parts by several threads.

    Attributes:
        create: what CreateMultipartUpload gets beside bucket and key.
        created: what S3 answered to it, if this attempt has sent it.
        integrity: how its parts are checked.
    """

    client: "S3Client"
    bucket: str
    key: str
    create: dict[str, Any]
    threads: int
    progress: UploadProgress
    created: dict[str, Any] = field(default_factory=dict)
    integrity: Integrity = SHA256
    bandwidth: Bandwidth = UNLIMITED
    _stopped: Event = field(default_factory=Event, init=False)

    def existing_parts(self) -> dict[int, SentPart] | None:
        """Return the parts that S3 has of the upload; None if it does not exist (any more)."""
        upload_id = self.progress.upload_id
        if upload_id is None:
            return None
        try:
            return self._list_parts(upload_id)
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":
                raise
        return None

    def send(self, parts: Iterator[Part], existing: dict[int, SentPart] | None) -> SentUpload:
        """Send the parts that S3 does not have yet; begin an upload if none exists."""
        source = existing or {}
        each = (
            partial(self._send_part, number, part, source.get(number))
            for number, part in enumerate(parts, start=1)
        )
        return self.send_each(each, existing)

    def send_each(self, parts: Iterator[Send], existing: dict[int, SentPart] | None) -> SentUpload:
        """Send the parts as `send` does; each part knows how it gets there."""
        upload_id = self.progress.upload_id
        if upload_id is None or existing is None:
            upload_id = self._start()
        return SentUpload(upload_id, self._send_in_threads(upload_id, parts))

    def complete(
        self, sent: SentUpload, condition: Mapping[str, Any]
    ) -> "CompleteMultipartUploadOutputTypeDef":
        # The last look before the object appears: a worker that lost its lease must not finish.
        self.progress.checkpoint()
        answer = self.client.complete_multipart_upload(
            Bucket=self.bucket,
            Key=self.key,
            UploadId=sent.upload_id,
            MultipartUpload={"Parts": [self._completed(part) for part in sent.parts]},
            **condition,
        )
        self.integrity.check_whole(sent.parts, answer)
        return answer

    def abort(self, upload_id: str) -> None:
        try:
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=self.key, UploadId=upload_id)
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":
                raise

    def _start(self) -> str:
        answer = self.client.create_multipart_upload(
            Bucket=self.bucket, Key=self.key, **{**self.integrity.declared, **self.create}
        )
        self.created.update(answer)
        upload_id = answer["UploadId"]
        try:
            # Record the upload before the first part: without a row nothing could ever find it
            # again.
            self.progress.started(upload_id)
        except BaseException:
            self.abort(upload_id)
            raise
        return upload_id

    def _list_parts(self, upload_id: str) -> dict[int, SentPart]:
        pages = self.client.get_paginator("list_parts").paginate(
            Bucket=self.bucket, Key=self.key, UploadId=upload_id
        )
        existing = {}
        for page in pages:
            for part in page.get("Parts", []):
                digest = base64.b64decode(part.get("ChecksumSHA256", ""))
                existing[part["PartNumber"]] = SentPart(
                    part["PartNumber"],
                    part["ETag"],
                    digest,
                    part["Size"],
                    bytes_sent=0,
                    is_summed=bool(digest),
                    checksum=self.integrity.listed(part),
                )
        return existing

    def _send_in_threads(self, upload_id: str, parts: Iterator[Send]) -> list[SentPart]:
        sent: list[SentPart] = []
        under_way: deque[Future[SentPart]] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                for send in parts:
                    self.progress.checkpoint()
                    under_way.append(pool.submit(copy_context().run, send, upload_id))
                    del send  # it has the part, which is to go once it is sent
                    # Keep as many parts in memory as threads send, and the next one.
                    if len(under_way) == self.threads:
                        sent.append(under_way.popleft().result())
                sent.extend(future.result() for future in under_way)
            except BaseException:
                # A thread that waits for its bandwidth would keep a worker that is told to stop.
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                raise
        return sent

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise _StoppedError
        self.progress.checkpoint()

    def _send_part(
        self, number: int, part: Part, source: SentPart | None, upload_id: str
    ) -> SentPart:
        digest = part.sha256
        checksum = self.integrity.of(part.pieces(), digest)
        if (
            source is not None
            and checksum
            and (source.checksum, source.size) == (checksum, part.size)
        ):
            return replace(source, digest=digest)
        arguments = {
            "Bucket": self.bucket,
            "Key": self.key,
            "UploadId": upload_id,
            "PartNumber": number,
            **self.integrity.sent(checksum),
        }
        self.bandwidth.take(part.size, self._go_on)
        try:
            # Share one digest for the checksum and the signature: botocore would hash the part
            # again.
            answer = direct_requests.send(
                self.client,
                "upload_part",
                arguments,
                body=part.body(),
                length=part.size,
                sha256=digest,
            )
        finally:
            # A changed file is also the reason for a refusal of what was read from it.
            part.check()
        return SentPart(
            number,
            acknowledged_etag(answer.get("ETag")),
            digest,
            part.size,
            bytes_sent=part.size,
            checksum=checksum,
            is_proven=self.integrity.is_proven(checksum, answer),
        )

    def _completed(self, part: SentPart) -> "CompletedPartTypeDef":
        completed: CompletedPartTypeDef = {"PartNumber": part.number, "ETag": part.etag}
        completed.update(self.integrity.completed(part.checksum))  # type: ignore[typeddict-item]
        return completed
