"""How the bytes of a PUT or a part are checked, for each choice of ARTIFACTS_S3_CHECKSUM.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from artifact_pipeline.domain.errors import MisconfiguredError
from artifact_pipeline.worker.s3.abilities import CRC32C_LIBRARY, CRC32C_PACKAGE, Checksum
from artifact_pipeline.worker.s3.checksums import as_base64, check, composite

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from artifact_pipeline.worker.s3.multipart import SentPart

_MD5 = re.compile(r"[0-9a-f]{32}")


class Integrity(Protocol):
    """One way to check bytes. A checksum is in base64, or empty if this way has no checksum."""

    @property
    def declared(self) -> dict[str, str]:
        """Arguments of CreateMultipartUpload."""

    def of(self, pieces: "Iterable[ReadableBuffer]", sha256: bytes) -> str:
        """Return the checksum that is sent. Args: the bytes, and their SHA-256."""

    def sent(self, checksum: str) -> dict[str, str]:
        """Return the arguments of PutObject or UploadPart."""

    def completed(self, checksum: str) -> dict[str, str]:
        """Return what CompleteMultipartUpload says of a part."""

    def listed(self, part: Mapping[str, Any]) -> str:
        """Return the checksum that ListParts has of a part."""

    def is_proven(self, checksum: str, answer: Mapping[str, Any]) -> bool:
        """Return whether this answer to a PUT or part leaves nothing to be read back.

        Raises:
            ChecksumMismatchError: the store has other bytes.
        """

    def check_whole(self, parts: Sequence["SentPart"], answer: Mapping[str, Any]) -> None:
        """Check the answer to CompleteMultipartUpload. Raises: ChecksumMismatchError."""


@dataclass(frozen=True, slots=True)
class _Sha256:
    @property
    def declared(self) -> dict[str, str]:
        return {"ChecksumAlgorithm": "SHA256"}

    def of(self, pieces: "Iterable[ReadableBuffer]", sha256: bytes) -> str:  # noqa: ARG002 - as the protocol has it
        return as_base64(sha256)

    def sent(self, checksum: str) -> dict[str, str]:
        return {"ChecksumSHA256": checksum}

    def completed(self, checksum: str) -> dict[str, str]:
        return {"ChecksumSHA256": checksum} if checksum else {}

    def listed(self, part: Mapping[str, Any]) -> str:
        return str(part.get("ChecksumSHA256", ""))

    def is_proven(self, checksum: str, answer: Mapping[str, Any]) -> bool:
        # A server that answers no checksum has still verified the one that was sent.
        check(checksum, answer.get("ChecksumSHA256"))
        return True

    def check_whole(self, parts: Sequence["SentPart"], answer: Mapping[str, Any]) -> None:
        check(composite([part.digest for part in parts]), answer.get("ChecksumSHA256"))


@dataclass(frozen=True, slots=True)
class _Crc32c:
    library: Any

    @property
    def declared(self) -> dict[str, str]:
        return {"ChecksumAlgorithm": "CRC32C"}

    def of(self, pieces: "Iterable[ReadableBuffer]", sha256: bytes) -> str:  # noqa: ARG002 - as the protocol has it
        checksum = 0
        for piece in pieces:
            checksum = self.library.extend(checksum, bytes(piece))
        return as_base64(checksum.to_bytes(4, "big"))

    def sent(self, checksum: str) -> dict[str, str]:
        return {"ChecksumCRC32C": checksum}

    def completed(self, checksum: str) -> dict[str, str]:
        return {"ChecksumCRC32C": checksum}

    def listed(self, part: Mapping[str, Any]) -> str:
        return str(part.get("ChecksumCRC32C", ""))

    def is_proven(self, checksum: str, answer: Mapping[str, Any]) -> bool:
        check(checksum, answer.get("ChecksumCRC32C"))
        return True

    def check_whole(self, parts: Sequence["SentPart"], answer: Mapping[str, Any]) -> None:
        answered = answer.get("ChecksumCRC32C")
        # Without the number of parts the value may be the CRC32C of all bytes, which is not known
        # here.
        if answered and "-" in answered:
            checksums = b"".join(base64.b64decode(part.checksum) for part in parts)
            check(self.of([checksums], b""), answered)


@dataclass(frozen=True, slots=True)
class _Md5:
    @property
    def declared(self) -> dict[str, str]:
        return {}

    def of(self, pieces: "Iterable[ReadableBuffer]", sha256: bytes) -> str:  # noqa: ARG002 - as the protocol has it
        digest = hashlib.md5(usedforsecurity=False)
        for piece in pieces:
            digest.update(piece)
        return as_base64(digest.digest())

    def sent(self, checksum: str) -> dict[str, str]:
        return {"ContentMD5": checksum}

    def completed(self, checksum: str) -> dict[str, str]:  # noqa: ARG002 - the same
        return {}

    def listed(self, part: Mapping[str, Any]) -> str:
        etag = str(part.get("ETag") or "").strip('"')
        return as_base64(bytes.fromhex(etag)) if _MD5.fullmatch(etag) else ""

    def is_proven(self, checksum: str, answer: Mapping[str, Any]) -> bool:
        # An ETag that looks like another MD5 belongs to other bytes, or is no digest: only reading
        # the object can tell. With an ETag of another form, the store's own check has to do.
        return self.listed(answer) in {"", checksum}

    def check_whole(self, parts: Sequence["SentPart"], answer: Mapping[str, Any]) -> None:
        """Check nothing: stores compute the ETag of a multipart object in different ways."""


@dataclass(frozen=True, slots=True)
class _ReadBack:
    @property
    def declared(self) -> dict[str, str]:
        return {}

    def of(self, pieces: "Iterable[ReadableBuffer]", sha256: bytes) -> str:  # noqa: ARG002 - as the protocol has it
        return ""

    def sent(self, checksum: str) -> dict[str, str]:  # noqa: ARG002 - the same
        return {}

    def completed(self, checksum: str) -> dict[str, str]:  # noqa: ARG002 - the same
        return {}

    def listed(self, part: Mapping[str, Any]) -> str:  # noqa: ARG002 - the same
        return ""

    def is_proven(self, checksum: str, answer: Mapping[str, Any]) -> bool:  # noqa: ARG002 - the same
        return False

    def check_whole(self, parts: Sequence["SentPart"], answer: Mapping[str, Any]) -> None:
        """Check nothing: the object is read back instead."""


SHA256: Integrity = _Sha256()
NO_CHECKSUM: Integrity = _ReadBack()
"""For parts that the store copies, where it does not compute their SHA-256."""


def integrity_of(checksum: Checksum) -> Integrity:
    """Return the way to check bytes. Raises: MisconfiguredError: its library is missing."""
    match checksum:
        case Checksum.SHA256:
            return SHA256
        case Checksum.CRC32C:
            return _crc32c()
        case Checksum.MD5:
            return _Md5()
        case Checksum.READ_BACK:
            return NO_CHECKSUM


def _crc32c() -> Integrity:
    try:
        return _Crc32c(import_module(CRC32C_LIBRARY))
    except ImportError as error:
        raise MisconfiguredError(
            "ARTIFACTS_S3_CHECKSUM=crc32c needs a package that is not installed."
            f" Run `pip install {CRC32C_PACKAGE}`"
        ) from error
