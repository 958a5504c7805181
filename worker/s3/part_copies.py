"""The parts of a copy, copied by S3 itself and compared with their source.

A part is known by the SHA-256 that S3 answers for it, elsewhere by its ETag. If there is one part,
its SHA-256 is the object's, so the object need not be read if S3 answers it. No answer has the
SHA-256 of several parts: their object is read once, before they are copied. So an existing part is
kept only if it equals the part that would be copied, even if the source has changed, and resuming
needs no state but the upload id.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from artifact_pipeline.domain.errors import ChecksumMismatchError
from artifact_pipeline.domain.model.digests import sha256_of
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.ports.object_store import IObjectReader
from artifact_pipeline.worker.s3.checksums import acknowledged_etag
from artifact_pipeline.worker.s3.encryption import has_md5_etag
from artifact_pipeline.worker.s3.errors import missing_means_replaced
from artifact_pipeline.worker.s3.multipart import MultipartUpload, Send, SentPart, SentUpload

_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class _PartDigest:
    """The digests of one part of the source.

    Attributes: `md5`, hexadecimal, where the bytes were read.
    """

    sha256: bytes
    md5: str | None = None

    def is_of(self, part: SentPart) -> bool | None:
        """Return whether it is the part's; None if S3 says nothing that could be compared."""
        if part.is_summed:
            return part.digest == self.sha256
        etag = part.etag.strip('"')
        if self.md5 is None or not _MD5.fullmatch(etag):
            return None
        # An ETag that is none looks the same, but is never equal.
        return etag == self.md5 or (False if part.has_md5_etag else None)


@dataclass(frozen=True, slots=True)
class _Digests:
    """What the source is; `sha256` of the whole, hexadecimal."""

    sha256: str
    parts: list[_PartDigest]
    were_read: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCopies:
    """The parts of one copy.

    Attributes:
        part_size: in bytes; the last part may be smaller.
        trusts_etags: whether an ETag that may be an MD5 is compared.
    """

    source: BucketObject
    reader: IObjectReader
    upload: MultipartUpload
    part_size: int
    trusts_etags: bool = True

    def send(self) -> tuple[SentUpload, str]:
        """Have S3 copy what is missing; all parts, and the SHA-256 of the whole.

        Raises:
            ChecksumMismatchError: the source is not what S3 says of it, or a part not the source's.
            ObjectReplacedError: the source changed.
        """
        existing = self.upload.existing_parts()
        digests = self._digests_known_before()
        sent = self.upload.send_each(self._each(digests, existing or {}), existing)
        was_read = digests is not None and digests.were_read
        if not was_read and not all(part.is_summed for part in sent.parts):
            digests = self._read()
        if digests is None:
            return sent, sent.parts[0].digest.hex()
        return replace(sent, parts=_checked(sent.parts, digests.parts)), digests.sha256

    @property
    def _ranges(self) -> list[tuple[int, int]]:
        """Of each part its first byte, and the one behind its last."""
        size = self.source.size
        return [
            (start, min(start + self.part_size, size)) for start in range(0, size, self.part_size)
        ]

    def _digests_known_before(self) -> _Digests | None:
        if self.part_size < self.source.size:
            return self._read()
        sha256 = self.source.sha256
        if sha256 is None:
            return None
        return _Digests(sha256, [_PartDigest(bytes.fromhex(sha256))], were_read=False)

    def _read(self) -> _Digests:
        verifier, whole = self.reader.verifier(self.source), hashlib.sha256()
        parts = []
        for start, stop in self._ranges:
            md5 = hashlib.md5(usedforsecurity=False)
            sha256 = sha256_of(
                self.reader.read(self.source, start, stop),
                *(verifier.update, whole.update, md5.update),
                checkpoint=self.upload.progress.checkpoint,
            )
            comparable = md5.hexdigest() if self.trusts_etags else None
            parts.append(_PartDigest(sha256, comparable))
        verifier.check()
        return _Digests(whole.hexdigest(), parts, were_read=True)

    def _each(self, digests: _Digests | None, existing: dict[int, SentPart]) -> Iterator[Send]:
        for number, (start, stop) in enumerate(self._ranges, start=1):
            source = existing.get(number)
            if source is not None and digests and digests.parts[number - 1].is_of(source):
                yield partial(_leave, source)
            else:
                yield partial(self._copy, number, start, stop)

    def _copy(self, number: int, start: int, stop: int, upload_id: str) -> SentPart:
        address = self.source.address
        # S3 copies no range of a small object.
        is_whole = stop - start == self.source.size
        wanted = {} if is_whole else {"CopySourceRange": f"bytes={start}-{stop - 1}"}
        with missing_means_replaced():
            answer = self.upload.client.upload_part_copy(
                Bucket=self.upload.bucket,
                Key=self.upload.key,
                UploadId=upload_id,
                PartNumber=number,
                CopySource={"Bucket": address.bucket, "Key": address.key},
                CopySourceIfMatch=self.source.version,
                **wanted,  # type: ignore[arg-type]  # the range
            )
        copied = answer.get("CopyPartResult", {})
        checksum = copied.get("ChecksumSHA256", "")
        return SentPart(
            number,
            acknowledged_etag(copied.get("ETag")),
            base64.b64decode(checksum),
            size=stop - start,
            bytes_sent=0,
            is_summed=bool(checksum),
            # Not every server says with each part how the object is encrypted.
            has_md5_etag=has_md5_etag({**self.upload.create, **self.upload.created, **answer}),
            checksum=checksum,
        )


def _leave(source: SentPart, _upload_id: str) -> SentPart:
    return source


def _checked(parts: list[SentPart], digests: list[_PartDigest]) -> list[SentPart]:
    """Return the parts with their digests, though S3 should have told none."""
    pairs = list(zip(parts, digests, strict=True))
    answers = [digest.is_of(part) for part, digest in pairs]
    # On some stores the ETags of parts look like an MD5, and are none: then not one of them fits.
    are_digests = True in answers or any(part.is_summed for part in parts)
    if are_digests and False in answers:
        wrong = parts[answers.index(False)].number
        raise ChecksumMismatchError(f"part {wrong}: S3 copied other bytes than the source has")
    return [
        replace(part, digest=digest.sha256, is_proven=answer is True)
        for (part, digest), answer in zip(pairs, answers, strict=True)
    ]
