"""An object in a bucket as a file that `zipfile` reads, by few ranged requests."""

import errno
import io
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

TAIL = 512 * 1024
"""Bytes of the first request: enough for a list of some 5,000 files, and half of what may be spent
on a file of 1 MiB."""

_SKIPPED = 256 * 1024
"""Bytes that are read and thrown away rather than asked for by another request."""

Read = Callable[[int, int], Iterator[bytes]]
Span = tuple[int, int]


class RangedFile(io.RawIOBase):
    """Read the end of the object at once, and the rest when it is asked for.

    Args:
        read: the bytes of the object from one offset to before another, as they come.
        size: of the object.
        tail: how many bytes the first request asks for.
    """

    def __init__(self, read: Read, size: int, tail: int = TAIL) -> None:
        super().__init__()
        self._read = read
        self._size = size
        # First, because `close` needs it, also where the first request fails.
        self._stream = _Stream(iter(()), 0, 0)
        self._tail_at = max(0, size - tail)
        self._tail = b"".join(read(self._tail_at, size))
        self._at = 0
        self._spans: list[Span] = []

    def expect(self, spans: Sequence[Span]) -> None:
        """Announce what will be read, so that what lies side by side is one request."""
        merged: list[Span] = []
        for start, stop in sorted(spans):
            if merged and start <= merged[-1][1]:
                first, last = merged[-1]
                merged[-1] = first, max(stop, last)
            else:
                merged.append((start, stop))
        self._spans = merged

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence] + offset
        if at < 0:
            raise OSError(errno.EINVAL, f"no byte {at}")  # as a file does, which zipfile expects
        self._at = at
        return at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        start = min(self._at, self._size)
        stop = self._size if size is None or size < 0 else min(start + size, self._size)
        content = self._front(start, min(stop, self._tail_at)) if start < self._tail_at else b""
        at = max(start, self._tail_at) - self._tail_at
        content += self._tail[at : max(at, stop - self._tail_at)]
        self._at = start + len(content)
        return content

    def close(self) -> None:
        self._stream.close()
        super().close()

    def _front(self, start: int, stop: int) -> bytes:
        if not self._stream.reaches(start, stop):
            self._stream.close()
            end = max(stop, min(self._end_of_span(start), self._tail_at))
            self._stream = _Stream(self._read(start, end), start, end)
        try:
            return self._stream.take(start, stop)
        except BaseException:
            self._stream = _Stream(iter(()), 0, 0)  # what has failed yields nothing else
            raise

    def _end_of_span(self, at: int) -> int:
        number = bisect_right(self._spans, (at, self._size + 1)) - 1
        return self._spans[number][1] if number >= 0 else 0


class _Stream:
    """One answer, read in its order."""

    def __init__(self, chunks: Iterator[bytes], start: int, stop: int) -> None:
        self._chunks = chunks
        self._at = start
        self._stop = stop
        self._buffer = b""

    def reaches(self, start: int, stop: int) -> bool:
        return self._at <= start <= self._at + _SKIPPED and stop <= self._stop

    def take(self, start: int, stop: int) -> bytes:
        pieces, size = [self._buffer], len(self._buffer)
        while size < stop - self._at:
            piece = next(self._chunks)
            pieces.append(piece)
            size += len(piece)
        whole = b"".join(pieces)
        wanted, self._buffer = whole[start - self._at : stop - self._at], whole[stop - self._at :]
        self._at = stop
        return wanted

    def close(self) -> None:
        """End the request; the rest of its answer is not needed."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
