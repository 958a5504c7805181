"""How large the parts of an object are."""

from artifact_pipeline.domain.model.parts import MIN_PART
from artifact_pipeline.domain.ports.workspace import Source

# `MIN_PART` is S3's limit too: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MAX_PARTS = 10_000

_MANY_PARTS = 1_000
_LIKELY_LARGE = 8


def part_size_for(size: int, wanted: int) -> int:
    """Return the wanted part size in bytes, or the smallest that S3's number of parts allows."""
    return max(wanted, -(-size // MAX_PARTS))


def likely_part_size(size: int, parts: int) -> int | None:
    """Return the roundest part size in bytes that gives so many parts; None if none does.

    Args:
        size: of the object, in bytes.
        parts: how many; two at least.
    """
    least, most = -(-size // parts), -(-size // (parts - 1)) - 1
    for exponent in reversed(range(most.bit_length())):
        rounded = -(-least >> exponent) << exponent
        if rounded <= most:
            return rounded
    return None


def put_threshold(source: Source, threshold: int) -> int:
    """Return the size in bytes below which the source is one PUT.

    What is below it is in memory at once. So what is very likely larger, since a zip of it would
    otherwise have an eighth of its bytes, is sent in parts from its first byte on.
    """
    is_likely_larger = source.exact_size is None and source.largest_size > _LIKELY_LARGE * threshold
    return 1 if is_likely_larger else threshold


def upload_part_size(source: Source, wanted: int) -> int:
    """Return the part size in bytes for an upload of the source.

    What is made while it is sent, such as a zip, has small parts until it is large. Each part is in
    memory until it is sent, and making it is slower than sending it.
    """
    size = source.largest_size
    if source.exact_size is None:
        wanted = min(wanted, max(MIN_PART, size // _MANY_PARTS))
    return part_size_for(size, wanted)
