"""Sources that are packed while they are read, in the form of this release or of former ones."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import Protocol, runtime_checkable

from artifact_pipeline.domain.ports.workspace import Source


@runtime_checkable
class IPacked(Protocol):
    """A source that has had other bytes in former releases."""

    @property
    def former(self) -> Sequence[Source]:
        """The same content as former releases packed it, the latest form first.

        An object, or an unfinished upload, may have been made in one of these forms. Each has the
        largest size of this source, and so the same parts.
        """

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield the bytes, the same at each call. Threads that read ahead end when it is closed."""


def forms_of(source: Source) -> Iterator[Source]:
    """Yield the source, and then the forms that former releases gave the same content."""
    yield source
    if isinstance(source, IPacked):
        yield from source.former


def form_begun(source: Source, start: int, size: int, is_known: Callable[[bytes], bool]) -> Source:
    """Return the form in which an unfinished upload was begun, or the source if none is known.

    Otherwise an upload that a former release has begun would be sent again from its first byte.

    Args:
        source: what is to be sent.
        start: of a part that the store has, in bytes.
        size: of that part.
        is_known: tells whether the store has these bytes as that part.
    """
    if not isinstance(source, IPacked):
        return source
    known = (form for form in forms_of(source) if is_known(_part(form, start, size)))
    return next(known, source)


def _part(source: Source, start: int, size: int) -> bytes:
    part, at = bytearray(), 0
    chunks = source.chunks()
    assert isinstance(chunks, Generator)  # noqa: S101 - as IPacked has it
    with closing(chunks):
        for chunk in chunks:
            part += chunk[max(0, start - at) :]
            at += len(chunk)
            if len(part) >= size:
                break
    return bytes(part[:size])
