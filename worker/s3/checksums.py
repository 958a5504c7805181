"""SHA-256 as S3 writes it."""

import base64
import hashlib
from collections.abc import Sequence

from domain.errors import ChecksumMismatchError


def as_base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


def composite(part_digests: Sequence[bytes]) -> str:
    """The checksum of a multipart object: of its parts' checksums, with their number.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    """
    whole = hashlib.sha256(b"".join(part_digests)).digest()
    return f"{as_base64(whole)}-{len(part_digests)}"


def is_same(expected: str, answered: str | None) -> bool:
    # Some servers leave the number of parts away.
    return answered is not None and answered.partition("-")[0] == expected.partition("-")[0]


def check(expected: str, answered: str | None) -> None:
    """Compare with what S3 answered; a server that answers no checksum has still verified ours.

    Raises:
        ChecksumMismatchError: they differ.
    """
    if answered is not None and not is_same(expected, answered):
        raise ChecksumMismatchError("S3 answers another checksum than was sent")
