"""A server in front of another S3 that lacks what many S3-compatible stores lack."""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from importlib import import_module

from tests.stores.s3_requests import Answer, Request, forwarded

_ETAG = re.compile(r"[0-9a-f]{32}(?:-\d+)?")
_XML_ETAG = re.compile(rb"(?<=<ETag>)[^<]*(?=</ETag>)")
_XML_CHECKSUM = re.compile(rb"<(Checksum[A-Za-z0-9]+)>[^<]*</\1>")
_XML_PART = re.compile(rb"<Part>.*?</Part>", re.DOTALL)


class Lack(Enum):
    """What the store lacks, or has otherwise than AWS S3."""

    CONDITIONS = auto()
    """It ignores If-Match and If-None-Match of writes."""
    CHECKSUMS = auto()
    """It refuses x-amz-checksum-…, and compares a Content-MD5."""
    CHECKS = auto()
    """It ignores every checksum, and answers none."""
    SHA256 = auto()
    """It compares CRC32C alone."""
    LISTED_CHECKSUMS = auto()
    """It lists parts without their checksums."""
    PART_COPIES = auto()
    """It has no UploadPartCopy."""
    BULK_DELETES = auto()
    """It has no DeleteObjects."""
    PART_ETAGS = auto()
    """The ETags of parts, and of objects made of them, look like an MD5, and are none."""
    ETAGS = auto()
    """The same of all objects."""
    UNEQUAL_PARTS = auto()
    """It takes only parts of one size, but for the last."""


@dataclass
class LackingStore:
    """Forwards each request, but for what the store lacks.

    Attributes:
        requests: all that came, by their operation.
        before: called with each request before it is forwarded.
        after: called with each request that was carried out.
        corrupts: whether a byte of each object and part is changed before it is stored.
        refuses: the answers to operations that are not carried out.
    """

    upstream: str
    lacks: frozenset[Lack]
    requests: list[str] = field(default_factory=list)
    before: Callable[[Request], object] = lambda _request: None
    after: Callable[[Request], object] = lambda _request: None
    corrupts: bool = False
    refuses: dict[str, Answer] = field(default_factory=dict)
    _sizes: dict[tuple[str, int], int] = field(default_factory=dict)
    _crc32cs: dict[tuple[str, int], str] = field(default_factory=dict)
    _real_etags: dict[str, str] = field(default_factory=dict)

    def answer(self, request: Request) -> Answer:
        self.requests.append(request.operation)
        # As it came: what follows changes it.
        self.before(replace(request, headers={**request.headers}))
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        checksum = request.headers.get("x-amz-checksum-crc32c", "")
        if request.operation == "UploadPart":
            self._sizes[request.part] = len(request.body)
            self._crc32cs[request.part] = checksum
        if request.operation == "UploadPartCopy":
            # Without a range it is the only part.
            named = request.headers.get("x-amz-copy-source-range", "bytes=0-0")
            first, last = named.removeprefix("bytes=").split("-")
            self._sizes[request.part] = int(last) - int(first) + 1
        self._rewrite(request)
        answer = forwarded(self.upstream, request)
        if self._has_no_checksums:
            self._without_checksums(answer)
        if Lack.LISTED_CHECKSUMS in self.lacks and request.operation == "ListParts":
            answer.body = _XML_CHECKSUM.sub(b"", answer.body)
        if Lack.SHA256 in self.lacks:
            self._with_crc32c(request, checksum, answer)
        self._disguise(request, answer)
        self.after(request)
        return answer

    @property
    def _has_no_checksums(self) -> bool:
        return bool(self.lacks & {Lack.CHECKSUMS, Lack.CHECKS, Lack.SHA256})

    def _refusal(self, request: Request) -> Answer | None:
        lacked = {
            "UploadPartCopy": Lack.PART_COPIES,
            "DeleteObjects": Lack.BULK_DELETES,
        }.get(request.operation)
        if lacked in self.lacks:
            return Answer.refusing(501, "NotImplemented")
        if request.operation in self.refuses:
            return self.refuses[request.operation]
        if Lack.CHECKSUMS in self.lacks:
            return _refusal_of_checksums(request)
        if Lack.SHA256 in self.lacks:
            return self._refusal_without_crc32c(request)
        if Lack.UNEQUAL_PARTS in self.lacks and request.operation == "CompleteMultipartUpload":
            return self._refusal_of_sizes(request)
        return None

    def _refusal_of_sizes(self, request: Request) -> Answer | None:
        upload_id = request.query["uploadId"]
        numbers = sorted(map(int, re.findall(rb"<PartNumber>(\d+)<", request.body)))
        sizes = [self._sizes[upload_id, number] for number in numbers]
        if len(set(sizes[:-1])) > 1 or sizes[-1] > sizes[0]:
            return Answer.refusing(400, "InvalidPart")
        return None

    def _refusal_without_crc32c(self, request: Request) -> Answer | None:
        if _checksums(request) - {"x-amz-checksum-crc32c", "x-amz-checksum-algorithm"}:
            return Answer.refusing(501, "NotImplemented")
        if request.operation in {"PutObject", "UploadPart"}:
            sent = request.headers.get("x-amz-checksum-crc32c")
            return None if sent == crc32c(request.body) else Answer.refusing(400, "BadDigest")
        if request.operation == "CompleteMultipartUpload":
            upload_id = request.query["uploadId"]
            for part in _XML_PART.findall(request.body):
                [number] = re.findall(rb"<PartNumber>(\d+)<", part)
                if self._crc32cs[upload_id, int(number)].encode() not in part:
                    return Answer.refusing(400, "InvalidPart")
        return None

    def _rewrite(self, request: Request) -> None:
        headers = request.headers
        if Lack.CONDITIONS in self.lacks and request.is_write:
            for name in ("if-match", "if-none-match"):
                headers.pop(name, None)
        if self._has_no_checksums:
            for name in _checksums(request) | {"content-md5"}:
                headers.pop(name, None)
            if request.method == "POST":
                request.body = _XML_CHECKSUM.sub(b"", request.body)
        if self.corrupts and request.operation in {"PutObject", "UploadPart"}:
            headers.pop("content-md5", None)
            request.body = bytes([request.body[0] ^ 1]) + request.body[1:]
        self._reveal(request)

    def _reveal(self, request: Request) -> None:
        """Replace the ETags that the client knows by those of the server behind."""
        for disguised, real in self._real_etags.items():
            for name in ("if-match", "if-none-match", "x-amz-copy-source-if-match"):
                if name in request.headers:
                    request.headers[name] = request.headers[name].replace(disguised, real)
            if request.operation == "CompleteMultipartUpload":
                request.body = request.body.replace(disguised.encode(), real.encode())

    def _without_checksums(self, answer: Answer) -> None:
        answer.headers = {
            name: value
            for name, value in answer.headers.items()
            if not name.startswith("x-amz-checksum-")
        }
        if answer.is_xml:
            answer.body = _XML_CHECKSUM.sub(b"", answer.body)

    def _with_crc32c(self, request: Request, checksum: str, answer: Answer) -> None:
        if request.operation in {"PutObject", "UploadPart"}:
            answer.headers["x-amz-checksum-crc32c"] = checksum
        if request.operation == "ListParts" and Lack.LISTED_CHECKSUMS not in self.lacks:
            upload_id = request.query["uploadId"]

            def summed(part: re.Match[bytes]) -> bytes:
                [number] = re.findall(rb"<PartNumber>(\d+)<", part[0])
                listed = self._crc32cs[upload_id, int(number)].encode()
                return part[0].replace(
                    b"</Part>", b"<ChecksumCRC32C>" + listed + b"</ChecksumCRC32C></Part>"
                )

            answer.body = _XML_PART.sub(summed, answer.body)

    def _disguise(self, request: Request, answer: Answer) -> None:
        is_of_parts = "Part" in request.operation or request.operation == "CompleteMultipartUpload"

        def disguised(etag: str) -> str:
            [real] = _ETAG.findall(etag) or [""]
            is_meant = Lack.PART_ETAGS in self.lacks and (is_of_parts or "-" in real)
            if not real or not (is_meant or Lack.ETAGS in self.lacks):
                return etag
            random = hashlib.md5(b"secret" + real.encode(), usedforsecurity=False).hexdigest()
            self._real_etags[random + real[32:]] = real
            return etag.replace(real, random + real[32:])

        if "etag" in answer.headers:
            answer.headers["etag"] = disguised(answer.headers["etag"])
        if answer.is_xml:
            answer.body = _XML_ETAG.sub(
                lambda etag: disguised(etag[0].decode()).encode(), answer.body
            )


def crc32c(body: bytes) -> str:
    """Return the CRC32C as S3 writes it."""
    value = import_module("google_crc32c").value(body)
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def _checksums(request: Request) -> set[str]:
    """Return the headers that are about checksums of what is sent."""
    named = {name for name in request.headers if name.startswith(("x-amz-checksum-", "x-amz-sdk-"))}
    return named - {"x-amz-checksum-mode"}


def _refusal_of_checksums(request: Request) -> Answer | None:
    if _checksums(request):
        return Answer.refusing(501, "NotImplemented")
    sent = request.headers.get("content-md5")
    if sent is None:
        is_needed = request.operation == "DeleteObjects"
        return Answer.refusing(400, "MissingContentMD5") if is_needed else None
    digest = hashlib.md5(request.body, usedforsecurity=False).digest()
    is_right = base64.b64encode(digest).decode() == sent
    return None if is_right else Answer.refusing(400, "BadDigest")
