"""Work on several files at once, with results in the files' order and bounded memory."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

from artifact_pipeline.worker.workspace.deflate import Deflated, DeflateStream, WholeDeflate
from artifact_pipeline.worker.workspace.scan import Entry

_MIB = 2**20

LARGE = 8 * _MIB
"""A file above this size is deflated while it is sent: its stream would take too much memory."""

_MOST_BYTES = 16 * _MIB
_MOST_WAITING = 4 * _MIB
"""Once every thread has a file: further ones only fill the pauses of the threads."""
_MOST_FILES = 256

Read = Callable[[Entry], Iterator[bytes]]
"""Yields the bytes of an entry's file; none for a directory."""


@dataclass(frozen=True, slots=True)
class DeflatedEntry:
    """An entry of a zip with its deflated bytes.

    Attributes: `chunks` of the stream, which is complete once all of them were taken.
    """

    entry: Entry
    stream: Deflated
    chunks: Iterator[bytes | bytearray]


@dataclass(frozen=True, slots=True)
class _Begun:
    entry: Entry
    size: int
    deflated: Future[DeflatedEntry] | None


class ReadAhead:
    """Deflates files in threads, before it is their turn.

    Args:
        read: may be called by several threads at once.
        threads: how many files are deflated at once.
        deflater: of the files that are deflated ahead; zlib deflates larger ones.
    """

    def __init__(
        self, read: Read, threads: int, deflater: Callable[[], Deflated] = WholeDeflate
    ) -> None:
        self._read = read
        self._threads = threads
        self._deflater = deflater

    def deflated(self, entries: Iterable[Entry]) -> Generator[DeflatedEntry, None, None]:
        """Yield the entries in their order; directories have no bytes.

        All threads have ended when this ends, also early, by `close` or an error.
        """
        with _workers(self._threads) as (pool, stopped):
            begun: deque[_Begun] = deque()
            ahead = 0
            for entry in entries:
                size = _size_in_memory(entry)
                while begun and not self._may_begin(len(begun), ahead + size):
                    ahead -= begun[0].size
                    yield self._finish(begun.popleft())
                deflated = pool.submit(self._deflate, entry, stopped) if size else None
                begun.append(_Begun(entry, size, deflated))
                ahead += size
            while begun:
                yield self._finish(begun.popleft())

    def _may_begin(self, begun: int, ahead: int) -> bool:
        """Return whether a file may be begun, given the files before it, and all their bytes."""
        most = _MOST_BYTES if begun < self._threads else _MOST_WAITING
        return begun < _MOST_FILES and ahead <= most

    def _deflate(self, entry: Entry, stopped: Event) -> DeflatedEntry:
        stream = self._deflater()
        chunks = list(stream.deflate(_until(stopped, self._read(entry))))
        # An iterator lets go of its list at the end, before the next file is waited for.
        return DeflatedEntry(entry, stream, iter(chunks))

    def _finish(self, begun: _Begun) -> DeflatedEntry:
        if begun.deflated is not None:
            return begun.deflated.result()
        stream = DeflateStream()
        return DeflatedEntry(begun.entry, stream, stream.deflate(self._read(begun.entry)))


def _until(stopped: Event, content: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in content:
        if stopped.is_set():
            break
        yield chunk


def _size_in_memory(entry: Entry) -> int:
    """Return the bytes that deflating the entry ahead can take; 0 if it is not done ahead."""
    size = entry.stamp.size if entry.stamp else 0
    return size if size <= LARGE else 0


@contextmanager
def _workers(threads: int) -> Iterator[tuple[ThreadPoolExecutor, Event]]:
    stopped = Event()
    with ThreadPoolExecutor(threads, "deflate") as pool:
        try:
            yield pool, stopped
        finally:
            # An upload that lost its lease must not wait for files that are no longer wanted.
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
