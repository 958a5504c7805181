"""Deflate for the entries of a zip.

The bytes depend on the content, on these constants, and on zlib or libdeflate alone.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

import deflate

_LEVEL = 1
"""On the results measured it compresses some six times as fast as level 6 (118 against 19 MiB/s)
for a tenth more bytes (0.48 of the input against 0.44): the network is rarely the slower one."""

_FAST_LEVEL = 1
"""Of libdeflate: half of zlib's CPU time for 0.46 of the input. Level 2 takes as much as zlib."""

_RAW = -zlib.MAX_WBITS  # without zlib's own header, as a zip has it

_SAMPLES = 8
_SAMPLE = 8 * 1024
_SHRUNK = 0.95
"""Deflating what shrinks by less takes the CPU some fifteen times as long as storing it."""

# RFC 1951, 3.2.4: a stored block has at most 65,535 bytes, behind its size and the complement.
_STORED_HEADER = struct.Struct("<BHH")
_STORED_BLOCK = 32 * 1024
_EMPTY_LAST_BLOCK = b"\x03\x00"


class Deflated(Protocol):
    """One entry's content while it is deflated.

    Attributes:
        crc: of the content so far.
        size: of the content so far, deflated.
    """

    crc: int
    size: int

    def deflate(self, content: Iterable[bytes]) -> "Iterator[bytes | bytearray]":
        """Yield the stream; `crc` and `size` are complete after the last chunk."""


class WholeDeflate:
    """One entry's content as a deflate stream by libdeflate, which needs all of it at once.

    Its compressor gives the same bytes on every CPU. Content with a chunk that does not shrink is
    left to `DeflateStream`.

    Attributes: as of `Deflated`.
    """

    def __init__(self) -> None:
        self.crc = 0
        self.size = 0

    def deflate(self, content: Iterable[bytes]) -> "Iterator[bytes | bytearray]":
        """Yield the stream; `crc` and `size` are complete after the last chunk."""
        chunks = list(content)
        if any(map(_is_dense, chunks)):
            yield from self._streamed(chunks)
            return
        whole = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.crc = deflate.crc32(whole)
        deflated = deflate.deflate_compress(whole, _FAST_LEVEL)
        self.size = len(deflated)
        yield deflated

    def _streamed(self, chunks: list[bytes]) -> Iterator[bytes]:
        stream = DeflateStream()
        yield from stream.deflate(chunks)
        self.crc, self.size = stream.crc, stream.size


class DeflateStream:
    """One entry's content as a deflate stream by zlib, chunk by chunk.

    Chunks that do not shrink, as of images and archives, become stored blocks of the same stream.
    Deflating them would cost the most CPU and gain nothing. Other chunks give the bytes that
    `zipfile` gives.

    Attributes:
        crc: of the content so far.
        size: of the content so far, deflated.
    """

    def __init__(self) -> None:
        self.crc = 0
        self.size = 0
        self._deflater: zlib._Compress | None = None

    def deflate(self, content: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the stream; `crc` and `size` are complete after the last chunk."""
        for chunk in content:
            self.crc = zlib.crc32(chunk, self.crc)
            yield from self._count(
                self._store(chunk) if _is_dense(chunk) else self._compress(chunk)
            )
        yield from self._count(self._end())

    def _compress(self, chunk: bytes) -> Iterator[bytes]:
        if self._deflater is None:
            self._deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
        yield self._deflater.compress(chunk)

    def _store(self, chunk: bytes) -> Iterator[bytes]:
        # A stored block begins at a whole byte, and what follows it cannot refer to what is before.
        if self._deflater is not None:
            yield self._deflater.flush(zlib.Z_SYNC_FLUSH)
            self._deflater = None
        yield b"".join(_stored_blocks(chunk))

    def _end(self) -> Iterator[bytes]:
        yield _EMPTY_LAST_BLOCK if self._deflater is None else self._deflater.flush()

    def _count(self, deflated: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in deflated:
            self.size += len(chunk)
            yield chunk


def largest_deflated(size: int) -> int:
    """Return how many bytes a deflate stream of that many can have."""
    # zlib adds 0.03 % at the worst; zlib-ng, its replacement in some builds, 9 bits for 8 at
    # level 1.
    return size + size // 8 + 64


def _is_dense(chunk: bytes) -> bool:
    """Return whether no sample of the chunk shrinks. The first one tells a text."""
    step = len(chunk) // _SAMPLES
    if step < _SAMPLE:
        return False  # the samples would cost as much as deflating all of it
    return all(
        len(zlib.compress(chunk[start : start + _SAMPLE], _LEVEL)) > _SHRUNK * _SAMPLE
        for start in range(0, step * _SAMPLES, step)
    )


def _stored_blocks(chunk: bytes) -> Iterator[bytes]:
    for start in range(0, len(chunk), _STORED_BLOCK):
        block = chunk[start : start + _STORED_BLOCK]
        yield _STORED_HEADER.pack(0, len(block), 0xFFFF ^ len(block))
        yield block
