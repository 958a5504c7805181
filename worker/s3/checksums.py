"""SHA-256 and ETags as S3 writes them."""

import base64
import hashlib
import re
from collections.abc import Sequence

from artifact_pipeline.domain.errors import ChecksumMismatchError, StoreUnavailableError
from artifact_pipeline.domain.model.checksums import SHA256, Checksum


def as_base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


def composite(part_digests: Sequence[bytes]) -> str:
    """Return a multipart object's checksum: of its parts' checksums, with their number.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    """
    whole = hashlib.sha256(b"".join(part_digests)).digest()
    return f"{as_base64(whole)}-{len(part_digests)}"


def sha256_checksum(text: str) -> Checksum:
    """Return the checksum that S3 writes so, of the bytes or of their parts."""
    return Checksum.parse(SHA256, text)


def is_same(expected: str, answered: str | None) -> bool:
    # Some servers leave the number of parts away.
    return answered is not None and answered.partition("-")[0] == expected.partition("-")[0]


def acknowledged_etag(etag: str | None) -> str:
    """Return the ETag if it is whole: a cut-off answer reads like one with a shorter ETag.

    Raises:
        StoreUnavailableError: it is missing, or lacks its second quote.
    """
    # Not every server puts an ETag in quotes.
    if etag is None or not re.fullmatch(r'"[^"]+"|[^"]+', etag):
        raise StoreUnavailableError(f"S3's answer was cut off: its ETag is {etag!r}")
    return etag


def is_same_etag(one: str | None, other: str | None) -> bool:
    """Return whether both are one ETag; None if there is no object."""
    # Not every server puts an ETag in quotes each time.
    return (one and one.strip('"')) == (other and other.strip('"'))


def check(expected: str, answered: str | None) -> None:
    """Compare with what S3 answered; a server that answers no checksum has still verified ours.

    Raises:
        ChecksumMismatchError: they differ.
    """
    if answered is not None and not is_same(expected, answered):
        raise ChecksumMismatchError("S3 answers another checksum than the one that was sent")
