"""One page of uploads: handled on a few threads, and recorded in groups."""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from artifact_pipeline.domain.errors import PipelineError, SqlUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import Claim, Transfer, TransferSummary
from artifact_pipeline.domain.ports.transfer_pages import (
    ClaimedUpload,
    IUploadPages,
    StoredUpload,
)
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.domain.transfers.attempt import Attempt
from artifact_pipeline.domain.transfers.conclusion import conclude
from artifact_pipeline.domain.transfers.known_upload import KnownUpload
from artifact_pipeline.domain.transfers.outcomes import Outcome, Stored
from artifact_pipeline.domain.transfers.page_limits import PageLimits
from artifact_pipeline.domain.transfers.page_traces import PageTraces
from artifact_pipeline.domain.transfers.page_watch import PageWatch, UploadEnd
from artifact_pipeline.domain.transfers.renewals import SharedLease, SharedRenewals
from artifact_pipeline.domain.transfers.retry import Decision, Stop
from artifact_pipeline.domain.transfers.runner import Handler, TransferRunner
from artifact_pipeline.domain.transfers.upload import UploadArtifact

logger = logging.getLogger(__name__)

Own = tuple[Artifact, str]
"""An artifact, and the request of its upload. A client may use an id again for another artifact."""

_FAILURES = 2
"""Failures to record in a row, after which SQL counts as away: each may take a time-out."""


@dataclass(slots=True)
class _Row:
    upload: ClaimedUpload
    lease: SharedLease
    begun: float = 0.0
    end: Outcome | Decision | None = None
    attempt: Attempt = field(init=False)

    @property
    def claim(self) -> Claim:
        return self.upload.claim


class Page:
    """Uploads that one process has claimed together.

    Args:
        uploads: the claims; the first is begun in any case.
        alone: handles, and records what is not recorded with others.
        handler: of uploads.
        pages: records several.
        publish: sends the messages of those given back.
        renewals: keep the leases.
        limits: of time and threads.
        watch: learns how the others than `own` end.
        own: the upload whose message is being handled; its task tells its end.
        claimed_at: of `time.monotonic()` before the claim.
    """

    def __init__(  # noqa: PLR0913 - what is done, with what, and who learns of it
        self,
        uploads: Sequence[ClaimedUpload],
        *,
        alone: TransferRunner,
        handler: Handler,
        pages: IUploadPages,
        publish: Callable[[Sequence[Transfer]], None],
        renewals: SharedRenewals,
        limits: PageLimits,
        watch: PageWatch,
        own: Own | None,
        claimed_at: float,
    ) -> None:
        self._alone = alone
        self._handler = handler
        self._pages = pages
        self._publish = publish
        self._published: list[Future[None]] = []
        self._renewals = renewals
        self._limits = limits
        self._watch = watch
        self._own = own
        self._traces = PageTraces(alone.tracing, len(uploads), claimed_at)
        self._first, *others = [
            _Row(upload, renewals.keeper(upload.claim, claimed_at)) for upload in uploads
        ]
        self._todo = deque(others)
        self._ready: SimpleQueue[_Row | None] = SimpleQueue()
        self._begin_until = math.inf
        self._failures = 0
        self.ends: list[UploadEnd] = []
        self.given_back = 0

    def run(self, pool: Executor | None) -> None:
        """Upload and record; give back what was not begun in time. Args: `pool` of threads."""
        with ExitStack() as leases:
            for row in (self._first, *self._todo):
                leases.enter_context(row.lease)
            self._announce_claimed()
            self._begin_until = time.monotonic() + self._limits.begin_seconds
            try:
                self._collect(self._start(pool), pool)
            finally:
                # Otherwise the threads would continue with a page that is not recorded.
                self._release_leases(pool)
                # The process may end after this task, and its threads with it.
                wait(self._published)
                self._traces.end()

    def _announce_claimed(self) -> None:
        if others := self._of_others([self._first, *self._todo]):
            self._watch.claimed([row.upload for row in others])

    def _of_others(self, rows: Collection[_Row]) -> list[_Row]:
        return [row for row in rows if (row.claim.artifact, row.upload.request_id) != self._own]

    def _start(self, pool: Executor | None) -> int:
        """Start the threads; return how many will say that they have ended."""
        if pool is None:
            self._work(self._first)
            return 1
        threads = min(self._limits.threads, 1 + len(self._todo))
        pool.submit(self._work, self._first)
        for _ in range(threads - 1):
            pool.submit(self._work, None)
        return threads

    def _work(self, row: _Row | None) -> None:
        try:
            row = row or self._next()
            while row is not None:
                self._handle(row)
                row = self._next()
        finally:
            self._ready.put(None)

    def _next(self) -> _Row | None:
        if time.monotonic() >= self._begin_until:
            return None
        try:
            return self._todo.popleft()
        except IndexError:
            return None

    def _handle(self, row: _Row) -> None:
        row.begun = time.monotonic()
        row.attempt = self._traces.begin(row.claim, row.begun)
        with row.attempt.active():
            row.end = self._alone.handle(self._handler_of(row), row.claim, row.lease)
        self._ready.put(row)

    def _handler_of(self, row: _Row) -> Handler:
        if isinstance(self._handler, UploadArtifact):
            return KnownUpload(self._handler, row.upload)
        return self._handler  # one that cannot be made

    def _collect(self, threads: int, pool: Executor | None) -> None:
        """Record what is ready in groups, until the threads have ended."""
        ready: list[_Row] = []
        due = math.inf
        while threads:
            try:
                row = self._ready.get(timeout=self._patience(due))
            except Empty:
                """Something is due."""
            else:
                if row is None:
                    threads -= 1
                else:
                    due = min(due, time.monotonic() + self._limits.record_seconds)
                    ready.append(row)
            if time.monotonic() >= self._begin_until:
                self._release_leases(pool)
            is_full = len(ready) >= self._limits.record_rows
            if ready and (is_full or not threads or time.monotonic() >= due):
                self._record(ready)
                ready, due = [], math.inf

    def _patience(self, due: float) -> float | None:
        """Return the seconds until something must be recorded or given back; None if nothing."""
        until = min(due, self._begin_until) if self._todo else due
        return None if until == math.inf else max(0.0, until - time.monotonic())

    def _release_leases(self, pool: Executor | None) -> None:
        left: list[_Row] = []
        while self._todo:
            try:
                left.append(self._todo.popleft())
            except IndexError:  # a thread was faster
                break
        if not left:
            return
        self.given_back += len(left)
        for row in left:
            self._renewals.remove(row.lease)
        self._watch.releasing([row.upload for row in left])
        try:
            given_back = self._pages.release_leases([row.claim for row in left])
        except Exception as error:  # noqa: BLE001 - the others must still be recorded
            _log(f"{len(left)} uploads wait for their leases to expire", error)
            return
        if given_back and pool is not None:
            # Use a thread: a broker that does not answer must not delay the records.
            self._published.append(pool.submit(self._publish_again, given_back))

    def _publish_again(self, transfers: Sequence[Transfer]) -> None:
        """Send new messages: the first ones may have been dropped while the claims held."""
        try:
            self._publish(transfers)
        except Exception as error:  # noqa: BLE001 - SQL has them, and the dispatch sends them
            _log(f"{len(transfers)} uploads wait for the dispatch", error)

    def _record(self, rows: Sequence[_Row]) -> None:
        with self._traces.recording([row.attempt for row in rows]):
            recorded = self._record_together(rows)
        ends = [self._ended(row, is_recorded=row.claim.transfer_id in recorded) for row in rows]
        self.ends += ends
        own = next((end for end in ends if (end.artifact, end.request_id) == self._own), None)
        if others := [end for end in ends if end is not own]:
            self._watch.ended(others, own)

    def _record_together(self, rows: Sequence[_Row]) -> set[int]:
        """Record those that are stored; return the ids of the transfers for which that worked."""
        stored = [
            StoredUpload(claim=row.claim, stored=row.end.stored, location=row.end.location)
            for row in rows
            if isinstance(row.end, Stored)
        ]
        if not stored:
            return set()
        try:
            recorded = self._pages.record(stored)
        except Exception as error:  # noqa: BLE001 - one of them may be the fault
            _log(f"{len(stored)} uploads are recorded one by one", error)
            return set()
        for upload in stored:
            if upload.claim.transfer_id in recorded:
                self._alone.policy.succeeded(upload.claim)
        return recorded

    def _ended(self, row: _Row, *, is_recorded: bool) -> UploadEnd:
        with row.attempt.active():
            result = self._result(row, is_recorded=is_recorded)
        self._renewals.remove(row.lease)
        return UploadEnd(
            request_id=row.upload.request_id,
            artifact=row.claim.artifact,
            seconds=time.monotonic() - row.begun,
            result=result,
        )

    def _result(self, row: _Row, *, is_recorded: bool) -> TransferSummary | Exception:
        assert row.end is not None  # noqa: S101 - it is put among the ready ones with its end
        try:
            end = row.end if is_recorded else self._record_alone(row, row.end)
            row.attempt.end(end)
            if isinstance(end, Stop):
                return self._alone.stop(self._handler, row.claim, row.lease, end)
        except Exception as error:  # noqa: BLE001 - the others must still be recorded
            row.attempt.end(None)
            _log(f"{row.claim.artifact}: its end is not recorded", error)
            return error
        try:
            return conclude(row.claim, end, row.begun)
        except PipelineError as error:
            return error

    def _record_alone(self, row: _Row, end: Outcome | Decision) -> Outcome | Decision:
        if self._failures >= _FAILURES:
            raise SqlUnavailableError("SQL failed to record other uploads of this page just now")
        self._watch.releasing([row.upload])
        try:
            recorded = self._alone.record(row.claim, end)
        except SqlUnavailableError:
            self._failures += 1
            raise
        self._failures = 0
        return recorded


def _log(what: str, error: Exception) -> None:
    logger.warning("%s: %s", what, redact(f"{type(error).__name__}: {error}"))
