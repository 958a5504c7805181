"""The two ends of an upload whose bytes are in memory."""

from collections.abc import Iterator
from dataclasses import dataclass

_CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class BytesSource:
    """The source of an upload that is in memory."""

    content: bytes
    links_left_out: int = 0

    @property
    def exact_size(self) -> int:
        return len(self.content)

    @property
    def largest_size(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self.content), _CHUNK):
            yield self.content[start : start + _CHUNK]


class Uninterrupted:
    """The progress of an upload without a lease, which no other attempt continues."""

    def __init__(self) -> None:
        self.upload_id: str | None = None

    def started(self, upload_id: str) -> None:
        self.upload_id = upload_id

    def checkpoint(self) -> None:
        """Do nothing: no other worker takes it over."""
