"""The use case of a job's small uploads: page after page, for one message."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from artifact_pipeline.domain.model.transfers import TransferSummary
from artifact_pipeline.domain.transfers.page_watch import UploadEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUploads:
    """What became of a job's uploads during one turn.

    Attributes:
        ended: uploads that are stored, or that had nothing to do.
        failed: uploads that are tried again later, or are in quarantine.
        is_over: nothing of the job was left to begin.
    """

    ended: int
    failed: int
    is_over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadJob:
    """Does the uploads of a job that are due, as many as one turn takes.

    Attributes:
        page: does a page of the job's uploads; returns None if none can be begun.
        turn_seconds: after which no further page is begun, so that other messages have their turn.
        clock: of seconds.
    """

    page: Callable[[int], Sequence[UploadEnd] | None]
    turn_seconds: float = 2.0
    clock: Callable[[], float] = time.monotonic

    def __call__(self, job_id: int) -> JobUploads:
        """Upload. Raises: SqlUnavailableError: it does not answer."""
        until = self.clock() + self.turn_seconds
        ends: list[UploadEnd] = []
        while self.clock() < until:
            page = self.page(job_id)
            if page is None:
                return _summed_up(ends, is_over=True)
            ends += page
        return _summed_up(ends, is_over=False)


def _summed_up(ends: Sequence[UploadEnd], *, is_over: bool) -> JobUploads:
    ended = sum(isinstance(end.result, TransferSummary) for end in ends)
    return JobUploads(ended=ended, failed=len(ends) - ended, is_over=is_over)
