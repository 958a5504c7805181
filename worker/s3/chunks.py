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


def in_parts(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yield the same bytes in pieces of just that size, but for the last."""
    pieces: list[memoryview] = []
    missing = size
    for chunk in chunks:
        rest = memoryview(chunk)
        while len(rest) >= missing:
            pieces.append(rest[:missing])
            rest, missing = rest[missing:], size
            yield _joined(pieces)
        if rest:
            pieces.append(rest)
            missing -= len(rest)
    if pieces:
        yield _joined(pieces)


def _joined(pieces: list[memoryview]) -> bytes:
    part = b"".join(pieces)
    # Otherwise they would stay in memory for as long as the part is sent.
    pieces.clear()
    return part
