"""An object's bytes into a file: in ranges, several at a time, and only those that are missing."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from artifact_pipeline.domain.errors import (
    ChecksumMismatchError,
    S3UnavailableError,
    TargetExistsError,
)
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.ports.object_store import IObjectReader, Verifier
from artifact_pipeline.domain.ports.workspace import IPartialFile, ITarget


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is there.

    Attributes:
        size: bytes.
        sha256: of the whole file, hexadecimal.
        bytes_fetched: bytes that came over the wire for it; fewer than `size` after a resumption.
    """

    size: int
    sha256: str
    bytes_fetched: int


def _unheard(_size: int) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Attributes: `range_size` in bytes; an object of at most that size is one request.

    Each of the `threads` has one chunk in memory.
    """

    reader: IObjectReader
    range_size: int
    threads: int

    def __call__(
        self,
        there: BucketObject,
        target: ITarget,
        *,
        replace: bool,
        checkpoint: Callable[[], None],
        progress: Callable[[int], None] = _unheard,
    ) -> Fetched:
        """Fetch the object; nothing is in the place before all of it was compared with S3's.

        Args:
            there: what is fetched; should it change meanwhile, nothing is.
            target: where it goes.
            replace: whether a file that is there already gives way.
            checkpoint: called between chunks, by several threads; what it raises ends all.
            progress: hears how many bytes came, one call at a time.

        Raises:
            TargetExistsError: there is a file already, and it is not to be replaced.
            TargetBusyError: another process is at it.
            WorkspaceUnavailableError: it cannot be written.
            ObjectReplacedError: the object is not there any more.
            ArchivedError: it must be restored before.
            S3UnavailableError: the next attempt goes on from here.
            ChecksumMismatchError: the bytes are not the object's; the next attempt starts anew.
        """
        if not replace and target.exists:
            raise TargetExistsError
        with target.partial(there, self.range_size) as partial:
            verifier = self.reader.verifier(there)
            ranges = _Ranges(self, there, partial, checkpoint, progress)
            ranges.fetch()
            sha256 = _verified(partial, there, verifier, checkpoint)
            # The last look before the file appears.
            checkpoint()
            partial.finish(replace=replace)
        return Fetched(there.size, sha256, ranges.bytes_fetched)


@dataclass(slots=True)
class _Ranges:
    """The ranges that are missing."""

    how: Fetch
    there: BucketObject
    partial: IPartialFile
    checkpoint: Callable[[], None]
    progress: Callable[[int], None]
    bytes_fetched: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def fetch(self) -> None:
        with ThreadPoolExecutor(self.how.threads) as pool:
            under_way = [pool.submit(self._fetch_one, number) for number in self.partial.missing]
            try:
                for future in as_completed(under_way):
                    future.result()
            except BaseException:
                self._stopped.set()  # what interrupted may not have come from a range
                pool.shutdown(cancel_futures=True)
                raise

    def _fetch_one(self, number: int) -> None:
        at = number * self.how.range_size
        stop = min(at + self.how.range_size, self.there.size)
        try:
            if self._is_there(at, stop):
                self.partial.mark(number)
        except BaseException:
            # Here, for before the failure is heard of another range may have begun.
            self._stopped.set()
            raise

    def _is_there(self, at: int, stop: int) -> bool:
        """Whether the range was fetched, and not stopped by another's failure."""
        if self._stopped.is_set():
            return False
        self.checkpoint()
        # No name for the iterator: a traceback would keep it, and so its connection, open.
        for chunk in self.how.reader.read(self.there, at, stop):
            self.partial.write(at, chunk)
            at += len(chunk)
            self._count(len(chunk))
            self.checkpoint()
            if self._stopped.is_set():
                return False
        if at != stop:
            raise S3UnavailableError("the answer had another number of bytes")
        return True

    def _count(self, size: int) -> None:
        with self._counting:
            self.bytes_fetched += size
            self.progress(size)


def _verified(
    partial: IPartialFile,
    there: BucketObject,
    verifier: Verifier,
    checkpoint: Callable[[], None],
) -> str:
    """The SHA-256 of what was fetched, as read back: neither wire nor disk is trusted."""
    whole, size = hashlib.sha256(), 0
    for chunk in partial.chunks():
        checkpoint()
        size += len(chunk)
        verifier.update(chunk)
        if there.sha256 is None:  # else the verifier makes sure that it is this one
            whole.update(chunk)
    try:
        _compare(size, there.size)
        verifier.check()
    except ChecksumMismatchError:
        partial.discard()
        raise
    return there.sha256 or whole.hexdigest()


def _compare(size: int, expected: int) -> None:
    if size != expected:
        raise ChecksumMismatchError("the file has another size than the object")
