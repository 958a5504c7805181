"""Streams of bytes, as they are hashed and cut into parts. No byte is kept longer than needed."""

from collections import deque
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import hashlib


def hashed(chunks: Iterator[bytes], whole: "hashlib._Hash") -> Generator[bytes, None, None]:
    for chunk in chunks:
        whole.update(chunk)
        yield chunk


def at_least(chunks: Iterator[bytes], size: int) -> deque[bytes]:
    """Take the first chunks: together at least that many bytes, or all."""
    taken: deque[bytes] = deque()
    total = 0
    for chunk in chunks:
        taken.append(chunk)
        total += len(chunk)
        if total >= size:
            break
    return taken


def drained(taken: deque[bytes]) -> Iterator[bytes]:
    """Yield the chunks and let go of each, so that they are not in memory twice."""
    while taken:
        yield taken.popleft()


def in_parts(chunks: Iterator[bytes], size: int) -> Iterator[bytearray]:
    """Yield the same bytes in pieces of just that size, but for the last."""
    part, filled = bytearray(size), 0
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            piece = rest[: size - filled]
            # Pieces that were kept and joined would be in memory twice.
            part[filled : filled + len(piece)] = piece
            filled += len(piece)
            rest = rest[len(piece) :]
            if filled == size:
                yield part
                part, filled = bytearray(size), 0
    if filled:
        yield part[:filled]
