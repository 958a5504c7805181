"""Uploads that were recorded a short time ago, whose further messages have nothing to do."""

from typing import Protocol

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.transfers.recent import RecentRequests

_REMEMBERED = 100_000


class DoneUploads(Protocol):
    """Remembers some of the uploads that are done. A hint: SQL is the truth."""

    def note(self, request_id: str, artifact: Artifact) -> None:
        """Remember an upload that is recorded as done."""

    def has(self, request_id: str, artifact: Artifact) -> bool:
        """Return whether it is remembered. A client may use an id again for another artifact."""


class OwnDoneUploads:
    """What this process has done."""

    def __init__(self) -> None:
        self._recent = RecentRequests[Artifact](_REMEMBERED)

    def note(self, request_id: str, artifact: Artifact) -> None:
        self._recent.note(request_id, artifact)

    def has(self, request_id: str, artifact: Artifact) -> bool:
        return self._recent.get(request_id) == artifact
