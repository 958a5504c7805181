"""What S3 says of an object's bytes, and comparing them with it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from artifact_pipeline.domain.errors import ChecksumMismatchError
from artifact_pipeline.worker.s3.encryption import has_md5_etag

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

_MD5 = re.compile(r"[0-9a-f]{32}(-\d+)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CRC32_BYTES = 4


class Digest(Protocol):
    def update(self, chunk: bytes, /) -> None:
        """Take the next bytes, in their order."""

    def digest(self) -> bytes:
        """Return the digest of all bytes so far."""


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, chunk: bytes, /) -> None:
        self._value = zlib.crc32(chunk, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(_CRC32_BYTES, "big")


def _md5() -> Digest:
    return hashlib.md5(usedforsecurity=False)


# The strongest first. CRC32C and CRC64NVME are not here: in Python alone they would be slower
# than the download.
_DIGESTS: dict[str, Callable[[], Digest]] = {
    "SHA256": hashlib.sha256,
    "SHA1": lambda: hashlib.sha1(usedforsecurity=False),
    "MD5": _md5,
    "CRC32": _Crc32,
}


class _DigestOfParts:
    """The digest of the digests of parts that all have one size, but for the last."""

    def __init__(self, new: Callable[[], Digest], part_size: int) -> None:
        self._new = new
        self._part_size = part_size
        self._whole = new()
        self._part = new()
        self._room = part_size

    def update(self, chunk: bytes, /) -> None:
        rest = memoryview(chunk)
        while rest:
            if not self._room:
                self._whole.update(self._part.digest())
                self._part, self._room = self._new(), self._part_size
            taken = rest[: self._room]
            self._part.update(taken)  # type: ignore[arg-type]  # hashlib and zlib take any buffer
            self._room -= len(taken)
            rest = rest[len(taken) :]

    def digest(self) -> bytes:
        self._whole.update(self._part.digest())
        return self._whole.digest()


@dataclass(frozen=True, slots=True)
class DigestVerifier:
    algorithm: str
    expected: bytes
    digest: Digest
    is_sure: bool = True

    def update(self, chunk: bytes) -> None:
        self.digest.update(chunk)

    def check(self) -> None:
        if self.digest.digest() != self.expected:
            raise ChecksumMismatchError(f"the bytes have another {self.algorithm} than the object")


@dataclass(frozen=True, slots=True)
class SizeAlone:
    """For an object of known size and no checksum; reading it has checked the size."""

    is_sure: bool = False

    def update(self, chunk: bytes) -> None:
        pass

    def check(self) -> None:
        pass


def of_sha256(sha256: str) -> DigestVerifier:
    return DigestVerifier("SHA256", bytes.fromhex(sha256), hashlib.sha256())


def strongest(
    checksums: Mapping[str, str], part_size: Callable[[int], int | None]
) -> DigestVerifier | SizeAlone:
    """Return the strongest check that these checksums allow.

    Args:
        checksums: as `checksums_of` gives them.
        part_size: of an object with so many parts, in bytes; None if unknown.
    """
    for algorithm, new in _DIGESTS.items():
        written, _, parts = checksums.get(algorithm, "").partition("-")
        expected = _decoded(algorithm, written)
        if expected and not parts:
            return DigestVerifier(algorithm, expected, new())
        size = part_size(int(parts)) if expected else None
        if size:
            return DigestVerifier(algorithm, expected, _DigestOfParts(new, size))
    return SizeAlone()


def checksums_of(head: "HeadObjectOutputTypeDef") -> dict[str, str]:
    """Return what the answer to a HEAD says of the bytes, by algorithm."""
    etag = head["ETag"].strip('"')
    said = {"MD5": etag} if _MD5.fullmatch(etag) and has_md5_etag(head) else {}
    hyphen, parts = etag.partition("-")[1:]
    answers = {
        "SHA256": head.get("ChecksumSHA256"),
        "SHA1": head.get("ChecksumSHA1"),
        "CRC32": head.get("ChecksumCRC32"),
    }
    for algorithm, answer in answers.items():
        # Some servers leave the number of parts away.
        is_whole = head.get("ChecksumType") == "FULL_OBJECT" or "-" in (answer or "")
        if answer:
            said[algorithm] = answer if is_whole else f"{answer}{hyphen}{parts}"
    return said


def sha256_of(head: "HeadObjectOutputTypeDef") -> str | None:
    """Return the SHA-256 of the whole object, hexadecimal: S3's own, or the uploader's."""
    answered = checksums_of(head).get("SHA256", "")
    digest = b"" if "-" in answered else _decoded("SHA256", answered)
    return digest.hex() or claimed_sha256(metadata_of(head))


def claimed_sha256(metadata: Mapping[str, str]) -> str | None:
    """Return the SHA-256 that the uploader left, hexadecimal."""
    claimed = metadata.get("sha256", "").lower()
    return claimed if _SHA256.fullmatch(claimed) else None


def metadata_of(head: Mapping[str, Any]) -> dict[str, str]:
    """Return the user's metadata; some servers change the case of the names."""
    return {name.lower(): value for name, value in head.get("Metadata", {}).items()}


def _decoded(algorithm: str, written: str) -> bytes:
    """Return the bytes, or none if the text is no base64."""
    if algorithm == "MD5":
        return bytes.fromhex(written)
    try:
        return base64.b64decode(written, validate=True)
    except binascii.Error:
        return b""
