"""The parts that an upload sends: bytes in memory, or places of a file that is read again."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Protocol

from artifact_pipeline.domain.ports.workspace import IOpenFile, IReopenable, Source
from artifact_pipeline.worker.s3.chunks import at_least, drained, hashed, in_parts

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_PIECE = 256 * 1024
"""Bytes of a file that are read at once: a core's cache holds them until they are hashed."""


class FileBody:
    """A range of a file, as the body of a request. It is read while it is sent."""

    def __init__(self, file: IOpenFile, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._at = 0

    def __len__(self) -> int:
        return self._size

    def read(self, size: int | None = -1) -> bytes:
        left = self._size - self._at
        count = left if size is None or size < 0 else min(size, left)
        read = bytearray(count)
        self._file.read_into(memoryview(read), self._start + self._at)
        self._at += count
        return bytes(read)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = min(max(base + offset, 0), self._size)
        return self._at

    def tell(self) -> int:
        return self._at

    def pieces(self) -> Iterator[memoryview]:
        """Yield all bytes. Each piece is valid until the next one is taken."""
        buffer = memoryview(bytearray(min(_PIECE, self._size)))
        for at in range(0, self._size, _PIECE):
            piece = buffer[: self._size - at]
            self._file.read_into(piece, self._start + at)
            yield piece


Body = bytes | bytearray | BinaryIO | FileBody
"""The bytes of a request, or a file of them that begins at its first byte."""


class Part(Protocol):
    """One part of an upload."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def sha256(self) -> bytes:
        """The digest of its bytes."""

    def body(self) -> Body:
        """Return the bytes, or where they are."""

    def pieces(self) -> "Iterator[ReadableBuffer]":
        """Yield the bytes. Each piece is valid until the next one is taken."""

    def check(self) -> None:
        """Raise SourceChangedError if its bytes may have changed since they were hashed."""


@dataclass(frozen=True, slots=True)
class BytesPart:
    """A part in memory."""

    content: bytes | bytearray

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.content).digest()

    def body(self) -> bytes | bytearray:
        return self.content

    def pieces(self) -> Iterator[bytes | bytearray]:
        yield self.content

    def check(self) -> None:
        """Do nothing: the bytes are what was hashed."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """A part that is read from its file each time that it is sent."""

    file: IOpenFile
    start: int
    size: int
    sha256: bytes

    def body(self) -> FileBody:
        return FileBody(self.file, self.start, self.size)

    def pieces(self) -> Iterator[memoryview]:
        return self.body().pieces()

    def check(self) -> None:
        self.file.check()


@contextmanager
def opened_source(
    source: Source, *, threshold: int, part_size: int, whole: "hashlib._Hash"
) -> Iterator[bytes | Iterator[Part]]:
    """Yield all bytes of the source if they are fewer than the threshold, else its parts.

    Args: as `opened_parts`.
    """
    if (source.exact_size or 0) >= threshold:
        with opened_parts(source, part_size, whole) as parts:
            yield parts
        return
    if source.exact_size is not None:
        content = b"".join(source.chunks())
        whole.update(content)
        yield content
        return
    with closing(hashed(source.chunks(), whole)) as chunks:
        head = at_least(chunks, threshold)
        if sum(map(len, head)) < threshold:
            yield b"".join(drained(head))
        else:
            yield map(BytesPart, in_parts(chain(drained(head), chunks), part_size))


@contextmanager
def opened_parts(
    source: Source, part_size: int, whole: "hashlib._Hash"
) -> Iterator[Iterator[Part]]:
    """Open the source and yield its parts.

    A source may have threads that read ahead: they end with the context.

    Args:
        source: the source.
        part_size: of each part but the last, in bytes.
        whole: gets all bytes, as they are taken.
    """
    if isinstance(source, IReopenable):
        with source.opened() as file:
            yield _file_parts(file, part_size, whole)
    else:
        with closing(hashed(source.chunks(), whole)) as chunks:
            yield map(BytesPart, in_parts(chunks, part_size))


def _file_parts(file: IOpenFile, part_size: int, whole: "hashlib._Hash") -> Iterator[FilePart]:
    """Yield the parts of a file, each once it is hashed.

    Raises:
        SourceChangedError: the file changed, before its last part is out.
    """
    for start in range(0, file.size, part_size):
        size = min(part_size, file.size - start)
        part = hashlib.sha256()
        # Two digests in one pass: the second finds the piece in the core's cache.
        for piece in FileBody(file, start, size).pieces():
            whole.update(piece)
            part.update(piece)
        if start + size == file.size:
            file.check()
        yield FilePart(file, start, size, part.digest())
