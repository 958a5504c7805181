"""Uploads in pages: a worker that gets one message claims other uploads that are due with it."""

import math
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cached_property

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import (
    Direction,
    Transfer,
    TransferState,
    TransferSummary,
)
from artifact_pipeline.domain.ports.transfer_pages import ClaimedUpload, IUploadPages
from artifact_pipeline.domain.transfers.done_uploads import DoneUploads, OwnDoneUploads
from artifact_pipeline.domain.transfers.page import Own, Page
from artifact_pipeline.domain.transfers.page_limits import PageLimits
from artifact_pipeline.domain.transfers.page_turns import NoTurns, PageTurns
from artifact_pipeline.domain.transfers.page_watch import NoWatch, PageWatch, UploadEnd
from artifact_pipeline.domain.transfers.renewals import SharedRenewals
from artifact_pipeline.domain.transfers.runner import TransferRunner, UnavailableHandler, claiming

_MOST_THREADS = 256
"""Of all pages that a process handles at the same time."""
_FAST_GROWTH, _SLOW_GROWTH = 2.0, 1.125


class PageRunner:
    """Runs uploads in pages, and those that cannot be in one alone. Lives as long as its process.

    Args:
        runner: makes what runs a transfer alone.
        pages: claims and records several.
        publish: sends the messages of uploads that a page gives back.
        renewals: of the leases of this process.
        kinds: that may be in pages.
        limits: of a page.
        watch: learns which uploads are handled without their messages.
        turns: of the processes that claim from the same uploads.
        done: remembers what they have done.
    """

    def __init__(  # noqa: PLR0913 - ports and limits
        self,
        *,
        runner: Callable[[], TransferRunner],
        pages: IUploadPages,
        publish: Callable[[Sequence[Transfer]], None],
        renewals: SharedRenewals,
        kinds: Collection[ArtifactKind],
        limits: PageLimits,
        watch: PageWatch | None = None,
        turns: PageTurns | None = None,
        done: DoneUploads | None = None,
    ) -> None:
        self._runner = runner
        self._pages = pages
        self._publish = publish
        self._renewals = renewals
        self._kinds = frozenset(kinds)
        self._limits = limits
        self._watch = watch or NoWatch()
        self._turns = turns or NoTurns()
        self._done = done or OwnDoneUploads()
        # Claim more once the store has shown how fast it is.
        self._size = min(limits.threads, limits.size)
        self._growth = _FAST_GROWTH

    def __call__(
        self, artifact: Artifact, request_id: str, workspace: str | None = None
    ) -> TransferSummary:
        """Do the upload of this request, and others with it, if there is something to do.

        Args: as `TransferRunner`.

        Raises:
            TransientError, PermanentError: as `TransferRunner`.
        """
        if self._done.has(request_id, artifact):
            return TransferSummary(state=TransferState.DONE)
        alone = self._runner()
        if artifact.kind not in self._kinds or not _can_upload(alone):
            return alone(artifact, Direction.UPLOAD, request_id, workspace)
        own = artifact, request_id
        if (ends := self._page(alone, own)) is None:
            # Most are of the page of another process. To claim one alone takes six round trips.
            if (settled := self._settled(artifact, request_id)) is not None:
                return TransferSummary(state=settled)
            return alone(artifact, Direction.UPLOAD, request_id, workspace)
        [result] = [end.result for end in ends if (end.artifact, end.request_id) == own]
        if isinstance(result, Exception):
            raise result
        return result

    def _page(self, alone: TransferRunner, own: Own) -> list[UploadEnd] | None:
        """Do the page of a request in its turn; return None if it cannot be part of one."""
        turn, size, is_full = self._turns.take(), self._size, None
        try:
            claimed_at = time.monotonic()
            if not (uploads := self._claim(alone, *own)):
                return None
            is_full = len(uploads) >= size
            return self.run(uploads, claimed_at, own=own)
        finally:
            self._turns.end(turn, is_full=is_full)

    def _settled(self, artifact: Artifact, request_id: str) -> TransferState | None:
        if self._done.has(request_id, artifact):
            return TransferState.DONE
        return self._pages.settled(artifact, request_id)

    def of_job(self, job_id: int) -> list[UploadEnd] | None:
        """Do one page of a job's uploads; return how they ended, or None if none can be begun.

        Raises:
            SqlUnavailableError: it does not answer.
        """
        alone, claimed_at = self._runner(), time.monotonic()
        if not _can_upload(alone):
            return None
        uploads = self._pages.claim_of_job(
            job_id, kinds=self._kinds, limit=self._size, owner=alone.owner, lease=alone.lease
        )
        return self.run(uploads, claimed_at) if uploads else None

    def run(
        self, uploads: Sequence[ClaimedUpload], claimed_at: float, *, own: Own | None = None
    ) -> list[UploadEnd]:
        """Handle uploads that were claimed together; those given back have no end.

        Args:
            uploads: at least one.
            claimed_at: of `time.monotonic()` before the claim.
            own: the upload whose message is being handled, if it is one of them.
        """
        alone = self._runner()
        page = Page(
            uploads,
            alone=alone,
            handler=alone.handler(Direction.UPLOAD),
            pages=self._pages,
            publish=self._publish,
            renewals=self._renewals,
            limits=self._limits,
            watch=self._watch,
            own=own,
            claimed_at=claimed_at,
        )
        page.run(self._pool if len(uploads) > 1 else None)
        self._adapt(len(uploads) - page.given_back, page.given_back)
        self._remember(page.ends)
        return page.ends

    def _claim(
        self, alone: TransferRunner, artifact: Artifact, request_id: str
    ) -> list[ClaimedUpload]:
        """Return the page of this request; empty if it cannot be part of one."""
        if self._done.has(request_id, artifact):
            return []  # the page that was waited for has had it
        return claiming(
            artifact,
            lambda: self._pages.claim(
                artifact,
                request_id,
                kinds=self._kinds,
                limit=self._size,
                owner=alone.owner,
                lease=alone.lease,
            ),
        )

    def _adapt(self, begun: int, given_back: int) -> None:
        """Claim as many as can be begun in time: each that is given back costs two statements.

        Grow fast until something is given back, and by an eighth from then on.
        """
        if given_back:
            self._size = max(1, begun)
            self._growth = _SLOW_GROWTH
        elif begun >= self._size:
            self._size = min(self._limits.size, math.ceil(self._growth * self._size))

    def _remember(self, ends: Sequence[UploadEnd]) -> None:
        for end in ends:
            if isinstance(end.result, TransferSummary) and end.result.state is TransferState.DONE:
                self._done.note(end.request_id, end.artifact)

    @cached_property
    def _pool(self) -> Executor:
        # Start threads only when they are needed.
        return ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="page")


def _can_upload(alone: TransferRunner) -> bool:
    """Return whether a page could succeed; its claims would all be spent on one cause."""
    handler = alone.handler(Direction.UPLOAD)
    return not (
        alone.policy.is_waiting(Direction.UPLOAD) or isinstance(handler, UnavailableHandler)
    )
