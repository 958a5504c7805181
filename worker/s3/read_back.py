"""Reading a stored object, to compare its bytes where no checksum of the store proves them."""

from collections.abc import Callable, Iterator

from artifact_pipeline.domain.errors import ChecksumMismatchError, ObjectReplacedError
from artifact_pipeline.domain.model.digests import sha256_of
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.ports.object_store import IObjectReader
from artifact_pipeline.worker.s3.checksums import is_same_etag

_RANGE = 64 * 2**20


def check_stored(
    reader: IObjectReader,
    address: ObjectAddress,
    etag: str,
    sha256: str,
    checkpoint: Callable[[], None],
) -> None:
    """Read what was just written.

    Args:
        reader: of its bucket.
        address: where it was written.
        etag: that the write was answered with.
        sha256: of the bytes that were sent, hexadecimal.
        checkpoint: called between chunks.

    Raises:
        ObjectReplacedError: another object is there already.
        ChecksumMismatchError: the store has other bytes.
    """
    found = find_same(reader, address, etag)
    if digest_of(reader, found, checkpoint) != sha256:
        raise ChecksumMismatchError(f"{address.key}: the store has other bytes than were sent")


def find_same(reader: IObjectReader, address: ObjectAddress, etag: str) -> BucketObject:
    """Return the object that has this ETag.

    Raises:
        ObjectReplacedError: another object, or none, is there.
    """
    found = reader.find(address)
    if found is None or not is_same_etag(found.version, etag):
        raise ObjectReplacedError
    return found


def digest_of(reader: IObjectReader, existing: BucketObject, checkpoint: Callable[[], None]) -> str:
    """Return the SHA-256 of an object, hexadecimal, by reading it in ranges.

    Raises:
        ObjectReplacedError: another object is there now.
    """
    return sha256_of(_in_ranges(reader, existing), checkpoint=checkpoint).hex()


def _in_ranges(reader: IObjectReader, existing: BucketObject) -> Iterator[bytes]:
    for start in range(0, existing.size, _RANGE):
        yield from reader.read(existing, start, min(start + _RANGE, existing.size))
