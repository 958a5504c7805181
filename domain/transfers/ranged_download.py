"""Fetch an object into a file: in ranges, several at a time, and only those that are missing."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import dataclass, field

from artifact_pipeline.domain.errors import (
    ChecksumMismatchError,
    StoreUnavailableError,
    TargetExistsError,
)
from artifact_pipeline.domain.model.digests import feed, sha256_of
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.ports.object_store import IObjectReader, Verifier
from artifact_pipeline.domain.ports.workspace import IPartialFile, ITarget


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was fetched.

    Attributes:
        size: bytes.
        sha256: of the whole file, hexadecimal.
        bytes_fetched: bytes that came over the wire for it; fewer than `size` after a resumption.
    """

    size: int
    sha256: str
    bytes_fetched: int


def _ignore_progress(_size: int) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Fetches an object in ranges, several at once.

    Attributes: `range_size` in bytes; an object of at most that size is one request.

    The reader may choose another size for an object, so that its checksum can prove the ranges.
    Each of the `threads` has one chunk in memory.
    """

    reader: IObjectReader
    range_size: int
    threads: int

    def __call__(
        self,
        source: BucketObject,
        target: ITarget,
        *,
        replace: bool,
        checkpoint: Callable[[], None],
        progress: Callable[[int], None] = _ignore_progress,
    ) -> Fetched:
        """Fetch the object. The file appears only after all of it was compared with the store's.

        Args:
            source: what is fetched; if it changes during the download, nothing is.
            target: where it goes.
            replace: whether a file that is there already gives way.
            checkpoint: called between chunks, by several threads; what it raises ends all.
            progress: hears how many bytes came, one call at a time.

        Raises:
            TargetExistsError: there is a file already, and it is not to be replaced.
            TargetBusyError: another process downloads it.
            WorkspaceUnavailableError: it cannot be written.
            ObjectReplacedError: the object was replaced or deleted.
            ArchivedError: it must be restored before.
            StoreUnavailableError: the next attempt continues from here.
            ChecksumMismatchError: the bytes are not the object's; the next attempt starts again.
        """
        if not replace and target.exists:
            raise TargetExistsError
        range_size = self.reader.range_size(source, self.range_size)
        with target.partial(source, range_size) as partial:
            verifier = self.reader.verifier(source)
            ranges = _Ranges(self, source, range_size, partial, checkpoint, progress)
            ranges.fetch()
            if source.sha256 and self.reader.is_proven(source, ranges.in_order):
                sha256 = source.sha256
            else:
                sha256 = _read_back(partial, source, verifier, checkpoint)
            # This is the last check before the file appears.
            checkpoint()
            partial.finish(replace=replace)
        return Fetched(source.size, sha256, ranges.bytes_fetched)


class _StoppedError(Exception):
    """Another range failed."""


@dataclass(slots=True)
class _Ranges:
    """The ranges of one object, each fetched or taken over from an earlier attempt.

    Attributes:
        digests: the SHA-256 of each range that is in the file.
    """

    how: Fetch
    source: BucketObject
    range_size: int
    partial: IPartialFile
    checkpoint: Callable[[], None]
    progress: Callable[[int], None]
    bytes_fetched: int = 0
    digests: dict[int, bytes] = field(default_factory=dict)
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def in_order(self) -> list[bytes]:
        return [self.digests[number] for number in sorted(self.digests)]

    def fetch(self) -> None:
        marks = self.partial.marks
        numbers = range(-(-self.source.size // self.range_size))
        with ThreadPoolExecutor(self.how.threads) as pool:
            under_way = [
                pool.submit(copy_context().run, self._have_one, number, marks.get(number))
                for number in numbers
            ]
            try:
                for future in as_completed(under_way):
                    future.result()
            except BaseException:
                self._stopped.set()  # what interrupted may not have come from a range
                pool.shutdown(cancel_futures=True)
                raise

    def _have_one(self, number: int, mark: bytes | None) -> None:
        try:
            if mark is None or self._digest_in_file(number) != mark:
                mark = self._fetch_one(number)
            self.digests[number] = mark
        except _StoppedError:
            pass
        except BaseException:
            # Set it here: another range could start before the main thread sees the failure.
            self._stopped.set()
            raise

    def _bounds(self, number: int) -> tuple[int, int]:
        start = number * self.range_size
        return start, min(start + self.range_size, self.source.size)

    def _digest_in_file(self, number: int) -> bytes:
        """Return the SHA-256 of what the file has of a range.

        A crash can lose pages that were written, because ranges are not flushed one by one.
        """
        return sha256_of(self.partial.chunks(*self._bounds(number)), checkpoint=self._go_on)

    def _fetch_one(self, number: int) -> bytes:
        """Fetch and mark a range. Return its SHA-256."""
        self._go_on()
        at, stop = self._bounds(number)

        def write(chunk: bytes) -> None:
            nonlocal at
            self.partial.write(at, chunk)
            at += len(chunk)
            self._count(len(chunk))
            self._go_on()

        digest = sha256_of(self.how.reader.read(self.source, at, stop), write)
        if at != stop:
            raise StoreUnavailableError(f"the response ended at byte {at}, before byte {stop}")
        self.partial.mark(number, digest)
        return digest

    def _go_on(self) -> None:
        if self._stopped.is_set():
            raise _StoppedError
        self.checkpoint()

    def _count(self, size: int) -> None:
        with self._counting:
            self.bytes_fetched += size
            self.progress(size)


def _read_back(
    partial: IPartialFile,
    source: BucketObject,
    verifier: Verifier,
    checkpoint: Callable[[], None],
) -> str:
    """Compare the whole file with what the store says of the object, and return its SHA-256."""
    whole = hashlib.sha256()
    # If a SHA-256 is known, the verifier compares with it.
    takers = [verifier.update] if source.sha256 else [verifier.update, whole.update]
    size = feed(partial.chunks(), *takers, checkpoint=checkpoint)
    try:
        _compare(size, source.size)
        verifier.check()
    except ChecksumMismatchError:
        partial.discard()
        raise
    return source.sha256 or whole.hexdigest()


def _compare(size: int, expected: int) -> None:
    if size != expected:
        raise ChecksumMismatchError(f"the file has {size} bytes, and the object {expected}")
