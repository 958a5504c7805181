"""Fetch an object into a file: in ranges, several at a time, and only those that are missing."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field

from artifact_pipeline.domain.errors import (
    ChecksumMismatchError,
    StoreUnavailableError,
    TargetExistsError,
)
from artifact_pipeline.domain.model.checksums import SHA256
from artifact_pipeline.domain.model.digests import feed, sha256_of
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.ports.object_store import IObjectReader, Verifier
from artifact_pipeline.domain.ports.workspace import IPartialFile, ITarget

Follow = Callable[[int, Callable[[], None]], None]
"""Reads a file on, up to a byte. The second argument is called between chunks."""


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
        """Fetch the object. The file appears only after all of it was compared.

        It is compared with what was recorded, or else with what the store says of it.

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
        expected = source.as_recorded or source
        range_size = self._range_size(source)
        with target.partial(source, range_size) as partial:
            whole = _WholeFile(source, partial, self.reader.verifier(source))
            ranges = _Ranges(self, source, range_size, partial, checkpoint, progress)
            ranges.fetch(None if _may_be_proven(expected, ranges.count) else whole.read_on)
            if expected.sha256 and self.reader.is_proven(expected, ranges.in_order):
                sha256 = expected.sha256
            else:
                whole.read_on(source.size, checkpoint)
                sha256 = whole.verified()
            # This is the last check before the file appears.
            checkpoint()
            partial.finish(replace=replace)
        return Fetched(source.size, sha256, ranges.bytes_fetched)

    def begins_anew(self, source: BucketObject, target: ITarget) -> bool:
        """Return whether an attempt before has fetched a part of another object."""
        return target.has_part_of_another(source, self._range_size(source))

    def _range_size(self, source: BucketObject) -> int:
        return self.reader.range_size(source.as_recorded or source, self.range_size)


def _may_be_proven(source: BucketObject, ranges: int) -> bool:
    """Return whether the digests of so many ranges can be all that its checksum is made of."""
    checksum = source.checksum(SHA256)
    has_parts = checksum is not None and checksum.parts == ranges
    return source.sha256 is not None and (ranges == 1 or has_parts)


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
    _followed: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def count(self) -> int:
        return -(-self.source.size // self.range_size)

    @property
    def in_order(self) -> list[bytes]:
        return [self.digests[number] for number in sorted(self.digests)]

    def fetch(self, follow: Follow | None) -> None:
        """Have all ranges in the file.

        Args: `follow` reads the file up to the first missing range, while further ranges come.
        """
        marks = self.partial.marks
        with ThreadPoolExecutor(self.how.threads) as pool:
            under_way = [
                pool.submit(copy_context().run, self._have_one, number, marks.get(number))
                for number in range(self.count)
            ]
            try:
                for future in as_completed(under_way):
                    future.result()
                    with suppress(_StoppedError):
                        self._follow(follow)
            except BaseException:
                self._stopped.set()  # what interrupted may not have come from a range
                pool.shutdown(cancel_futures=True)
                raise

    def _follow(self, follow: Follow | None) -> None:
        while follow is not None and self._followed in self.digests:
            follow(self._bounds(self._followed)[1], self._go_on)
            self._followed += 1

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


@dataclass(slots=True)
class _WholeFile:
    """Compares the whole file with what the store says of the object.

    It is read in order while ranges still come: a pass after the last range would take as long as
    hashing the whole file.
    """

    source: BucketObject
    partial: IPartialFile
    verifier: Verifier
    _size: int = 0
    _sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def read_on(self, stop: int, checkpoint: Callable[[], None]) -> None:
        """Read what comes before a byte, and was not read yet."""
        # If a SHA-256 is known, the verifier compares with it.
        takers = [] if self.source.sha256 else [self._sha256.update]
        chunks = self.partial.chunks(self._size, stop)
        self._size += feed(chunks, self.verifier.update, *takers, checkpoint=checkpoint)

    def verified(self) -> str:
        """Return the SHA-256 of the file. Raises: ChecksumMismatchError, without the file."""
        try:
            _compare(self._size, self.source.size)
            self.verifier.check()
        except ChecksumMismatchError:
            self.partial.discard()
            raise
        return self.source.sha256 or self._sha256.hexdigest()


def _compare(size: int, expected: int) -> None:
    if size != expected:
        raise ChecksumMismatchError(f"the file has {size} bytes, and the object {expected}")
