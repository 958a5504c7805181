"""Reading bytes once, for all that need them: a digest, a comparison, a file."""

import hashlib
from collections.abc import Callable, Iterable

Take = Callable[[bytes], object]


def _no_checkpoint() -> None:
    pass


def feed(
    chunks: Iterable[bytes], *takers: Take, checkpoint: Callable[[], None] = _no_checkpoint
) -> int:
    """Give each chunk to every taker, in this order, and return the number of bytes.

    Args:
        chunks: the bytes, in their order.
        takers: what needs them.
        checkpoint: called before each chunk is given; what it raises stops the reading.
    """
    size = 0
    try:
        for chunk in chunks:
            checkpoint()
            for take in takers:
                take(chunk)
            size += len(chunk)
    finally:
        # A traceback keeps the arguments of this function, and with them a connection or threads
        # that read ahead.
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    return size


def sha256_of(
    chunks: Iterable[bytes], *takers: Take, checkpoint: Callable[[], None] = _no_checkpoint
) -> bytes:
    """Return the SHA-256 of the chunks, which the takers get too. Args: as `feed`."""
    digest = hashlib.sha256()
    feed(chunks, digest.update, *takers, checkpoint=checkpoint)
    return digest.digest()
