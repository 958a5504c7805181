"""Streams of bytes, as they are hashed and cut into parts."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import hashlib


def hashed(chunks: Iterator[bytes], whole: "hashlib._Hash") -> Iterator[bytes]:
    for chunk in chunks:
        whole.update(chunk)
        yield chunk


def at_least(chunks: Iterator[bytes], size: int) -> bytes:
    """The first chunks, together at least that many bytes unless there are no more."""
    taken, total = [], 0
    for chunk in chunks:
        taken.append(chunk)
        total += len(chunk)
        if total >= size:
            break
    return b"".join(taken)


def in_parts(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of just that size, but for the last."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= size:
            part = bytes(memoryview(buffer)[:size])
            del buffer[:size]
            yield part
    if buffer:
        yield bytes(buffer)
