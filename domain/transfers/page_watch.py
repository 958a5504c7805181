"""Notices about uploads that a process handles without their messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import TransferSummary
from artifact_pipeline.domain.ports.transfer_pages import ClaimedUpload


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadEnd:
    """How an upload of a page ended.

    Attributes:
        seconds: since it was begun.
        result: what its task would have answered, or raised.
    """

    request_id: str
    artifact: Artifact
    seconds: float
    result: TransferSummary | Exception


class PageWatch(Protocol):
    """Learns which uploads a process handles without their messages."""

    def claimed(self, uploads: Sequence[ClaimedUpload]) -> None:
        """Learn that these are in hand, so that their messages have nothing to do."""

    def releasing(self, uploads: Sequence[ClaimedUpload]) -> None:
        """Learn that a message counts again that is sent from now on; called before the write."""

    def ended(self, ends: Sequence[UploadEnd], own: UploadEnd | None = None) -> None:
        """Learn how uploads ended, once that is recorded.

        Args: `own` was recorded with them; its task tells its end, but knows no other message of
            it, as of one that was given back before.
        """


class NoWatch:
    """A watch that nothing listens to."""

    def claimed(self, uploads: Sequence[ClaimedUpload]) -> None: ...

    def releasing(self, uploads: Sequence[ClaimedUpload]) -> None: ...

    def ended(self, ends: Sequence[UploadEnd], own: UploadEnd | None = None) -> None: ...
