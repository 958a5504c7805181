"""Reading an artifact's bytes in their order, without a file."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.errors import (
    ChecksumMismatchError,
    InvalidRequestError,
    ObjectReplacedError,
    StoreUnavailableError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.ports.object_store import IObjectReader
from artifact_pipeline.domain.transfers.retry import Backoff

_RANGE = re.compile(r"(\d{1,15})-(\d{1,15})?|-(\d{1,15})")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Some bytes of an object, as HTTP names them: `0-99`, `100-`, or the last ones, `-100`.

    Attributes:
        first: the number of the first byte; negative for so many at the end.
        last: the number of the last byte; None for the rest.
    """

    first: int = 0
    last: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a range of bytes.

        Raises: InvalidRequestError.
        """
        match = _RANGE.fullmatch(text)
        if match is None:
            raise InvalidRequestError(f"{text!r} is not a byte range. Examples: 0-99, 100-, -100")
        first, last, at_end = (None if each is None else int(each) for each in match.groups())
        if first is None:
            if not at_end:
                raise InvalidRequestError(
                    f"{text!r} selects no bytes. Example: -100 for the last 100"
                )
            return cls(-at_end)
        if last is not None and last < first:
            raise InvalidRequestError(f"{text!r} ends before it begins. Example: 0-99")
        return cls(first, last)

    def of(self, size: int) -> tuple[int, int]:
        """Return where it begins and ends in an object of this size.

        Raises:
            InvalidRequestError: it begins behind the object.
        """
        start = max(0, size + self.first) if self.first < 0 else self.first
        if start > size:
            raise InvalidRequestError(
                f"the range begins at byte {start}, and the object has {size} bytes"
            )
        return start, size if self.last is None else min(self.last + 1, size)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumedReads:
    """Reads that continue after a broken connection, from the byte where it broke.

    Attributes:
        tries: in succession without a single byte.
    """

    reader: IObjectReader
    tries: int = 6
    backoff: Backoff = field(
        default_factory=lambda: Backoff(timedelta(milliseconds=500), timedelta(seconds=10))
    )
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, source: BucketObject, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes of that very object.

        Raises:
            ObjectReplacedError: another object, or none, is there now.
            StoreUnavailableError: the store did not answer again and again.
        """
        failures = 0
        while start < stop:
            try:
                for chunk in self._once(source, start, stop):
                    start, failures = start + len(chunk), 0
                    yield chunk
            except StoreUnavailableError:
                failures += 1
                if failures == self.tries:
                    raise
                self.sleep(self.backoff.delay(failures).total_seconds())

    def _once(self, source: BucketObject, start: int, stop: int) -> Iterator[bytes]:
        for chunk in self.reader.read(source, start, stop):
            start += len(chunk)
            yield chunk
        if start < stop:
            raise StoreUnavailableError(f"the response ended at byte {start}, before byte {stop}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadArtifact:
    """Writes an artifact's bytes, from the first place that has it, to somewhere."""

    locate: LocateArtifacts
    reads: ResumedReads

    def __call__(
        self, artifact: Artifact, wanted: ByteRange, write: Callable[[bytes], None]
    ) -> bool:
        """Write the bytes in their order; return whether a checksum has verified them.

        Raises:
            ArtifactMissingError: it is nowhere.
            ObjectReplacedError: it was replaced after some bytes were written.
            ChecksumMismatchError: what was written is not the artifact.
            TransientError, PermanentError: as the store answers.
        """
        output = _Output(write)
        try:
            return self.locate.first(
                artifact, lambda found: self._read_first(found.object, wanted, output)
            )
        except _InterruptedBodyError:
            raise ObjectReplacedError(
                f"{artifact}: replaced while it was read; do not use the output"
            ) from None
        except ChecksumMismatchError:
            raise ChecksumMismatchError(
                f"{artifact}: the bytes are not those that were stored; do not use the output"
            ) from None

    def _read_first(self, source: BucketObject, wanted: ByteRange, output: "_Output") -> bool:
        try:
            return self._read(source, wanted, output)
        except ObjectReplacedError as error:
            if output.has_begun:  # too late for another place
                raise _InterruptedBodyError from error
            raise

    def _read(self, source: BucketObject, wanted: ByteRange, output: "_Output") -> bool:
        start, stop = wanted.of(source.size)
        if (start, stop) != (0, source.size):
            output.take(self.reads(source, start, stop))
            return False
        verifier = self.reads.reader.verifier(source)
        output.take(self.reads(source, start, stop), verifier.update)
        verifier.check()
        return verifier.is_sure


class _InterruptedBodyError(Exception):
    """The object was replaced after some of its bytes were written."""


@dataclass(slots=True)
class _Output:
    write: Callable[[bytes], None]
    has_begun: bool = False

    def take(
        self, chunks: Iterator[bytes], also: Callable[[bytes], None] = lambda _chunk: None
    ) -> None:
        for chunk in chunks:
            also(chunk)
            self.write(chunk)
            self.has_begun = True
