"""Batches as the platform's code and the commands use them."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batch_states import PaceChange
from artifact_pipeline.domain.model.batches import (
    MAX_IN_FLIGHT,
    Batch,
    BatchFilter,
    BatchMode,
    BatchPriority,
    BatchProgress,
    Listed,
    Member,
    Preview,
)
from artifact_pipeline.domain.model.byte_budget import check_bytes_per_second
from artifact_pipeline.domain.model.release_windows import ReleaseWindow
from artifact_pipeline.tasks.own_workspace import requested_workspace
from artifact_pipeline.worker.sql.batches.repository import SqlBatches
from artifact_pipeline.worker.sql.batches.snapshots import DEFAULT_PARTS, Parts, SqlBatchSnapshots
from artifact_pipeline.worker.sql.transfers.event_log import EventLog

if TYPE_CHECKING:
    from celery import Celery

    from artifact_pipeline.domain.ports.batches import IBatches, IBatchSnapshots
    from artifact_pipeline.worker.settings import BatchSettings, OperatorSettings

logger = logging.getLogger(__name__)

_A_DAY = timedelta(days=1)


def batches_of(
    settings: "BatchSettings | OperatorSettings",
    engine: Engine,
    **how: Any,  # noqa: ANN401 - as `Batches`
) -> "Batches":
    """Return batches that are cut, and tell targets of events, as the settings say."""
    return Batches(
        engine,
        parts=Parts(settings.multipart_threshold, settings.part_size),
        event_targets=settings.targets_of_all,
        **how,
    )


class Batches:
    """Preview, start and follow batches; the workers' dispatch is what keeps them going.

    Args:
        engine: of SQLite or PostgreSQL, with the pipeline's tables.
        app: with a broker, to announce changes at once; without one the next sweep notices.
        find_app: returns the app when something has changed, instead of `app`.
        parts: how the workers cut objects; used to estimate S3 requests.
        has_source: whether an artifact is there to be uploaded; by default it is believed.
        event_targets: the names of the targets of events, such as `webhook`, that hear of a batch
            that is cancelled here; None if events are off.
        workspace: the name of the one in which `has_source` looks, and in which members that were
            never requested are transferred; by default ARTIFACTS_WORKSPACE_NAME. An empty text is
            the default workspace.
    """

    def __init__(  # noqa: PLR0913 - what each command and the platform need of it
        self,
        engine: Engine,
        app: "Celery | None" = None,
        *,
        find_app: "Callable[[], Celery | None] | None" = None,
        parts: Parts = DEFAULT_PARTS,
        has_source: Callable[[Artifact], bool] | None = None,
        event_targets: Sequence[str] | None = None,
        workspace: str | None = None,
    ) -> None:
        self._find_app = find_app or (lambda: app)
        targets = None if event_targets is None else tuple(event_targets)
        self._batches: IBatches = SqlBatches(engine, EventLog(targets))
        own = requested_workspace(workspace)
        self._snapshots: IBatchSnapshots = SqlBatchSnapshots(engine, parts, own)
        self._has_source = has_source

    def preview(
        self,
        which: BatchFilter,
        *,
        requested_by: str,
        expires_in: timedelta = _A_DAY,
        listed: Iterable[Listed] | None = None,
    ) -> Preview:
        """Freeze what fits as a snapshot, and tell what it is. No transfer is changed.

        Args:
            which: the filter; an empty one is everything.
            requested_by: who asks.
            expires_in: how long the snapshot can be started.
            listed: the members are among these.

        Returns:
            what was frozen; a preview without members has left no batch behind.
        """
        batch_id = self._snapshots.freeze(
            which,
            requested_by=requested_by,
            expires_in=expires_in,
            listed=listed,
            has_source=self._has_source,
        )
        preview = self._snapshots.preview(batch_id)
        if not preview.members:
            self._snapshots.delete(batch_id)
        return preview

    def start(  # noqa: PLR0913 - all that is decided at the start
        self,
        batch_id: int,
        *,
        requested_by: str,
        reason: str,
        mode: BatchMode = BatchMode.FAILED,
        rate: float | None = None,
        max_in_flight: int = MAX_IN_FLIGHT,
        is_forced: bool = False,
        notify: str | None = None,
        bytes_per_second: int | None = None,
        between: ReleaseWindow | None = None,
        priority: BatchPriority = BatchPriority.NORMAL,
        action_id: int | None = None,
    ) -> Batch:
        """Have the frozen members transferred, just those.

        Args:
            batch_id: of the snapshot.
            requested_by: who starts it.
            reason: why; it is kept.
            mode: which of the members.
            rate: the most members per second; None is no limit.
            max_in_flight: the most members that are requested and have not ended.
            is_forced: unchanged bytes are sent again.
            notify: the name of a target of events that hears of its end, beside those that get
                all events.
            bytes_per_second: what all its members move at most, on average; None is no limit.
            between: when members are released, such as `ReleaseWindow.of("22:00-06:00")`.
            priority: a batch of a higher one releases its members first.
            action_id: of the start in the audit trail, which ends in the same transaction.

        Raises:
            NotFoundError: there is no such snapshot.
            InvalidRequestError: it has expired, was started before, has no member of that mode, or
                no reason was given; the limit of bytes is too small or too large.
        """
        check_bytes_per_second(bytes_per_second)
        started = self._batches.start(
            batch_id,
            requested_by=requested_by,
            reason=reason,
            mode=mode,
            rate=rate,
            max_in_flight=max_in_flight,
            is_forced=is_forced,
            notify=notify,
            bytes_per_second=bytes_per_second,
            between=between,
            priority=priority,
            action_id=action_id,
        )
        self._request_dispatch()
        return started

    def pause(self, batch_id: int) -> Batch:
        """Release no more members; finish those that are requested already.

        Raises:
            NotFoundError: there is no such batch.
            InvalidRequestError: it is not running.
        """
        return self._batches.pause(batch_id)

    def resume(self, batch_id: int) -> Batch:
        """Continue a batch that was paused.

        Raises: NotFoundError, InvalidRequestError: it is not paused.
        """
        resumed = self._batches.resume(batch_id)
        self._request_dispatch()
        return resumed

    def change(  # noqa: PLR0913 - all that can be changed
        self,
        batch_id: int,
        *,
        rate: float | None = None,
        max_in_flight: int | None = None,
        bytes_per_second: int | None = None,
        between: ReleaseWindow | None = None,
        priority: BatchPriority | None = None,
    ) -> Batch:
        """Change what is given, at once.

        A rate and bytes per second of 0 are no limit, and `ALWAYS` is no window.

        Raises:
            NotFoundError: there is no such batch.
            InvalidRequestError: it has ended, or was not started; the limit of bytes is too small
                or too large.
        """
        check_bytes_per_second(bytes_per_second)
        pace = PaceChange(
            rate=rate,
            max_in_flight=max_in_flight,
            bytes_per_second=bytes_per_second,
            between=between,
            priority=priority,
        )
        changed = self._batches.change(batch_id, pace)
        self._request_dispatch()
        return changed

    def cancel(self, batch_id: int) -> int:
        """End it: what has not begun never will, what is under way stops; how many that are.

        Raises:
            NotFoundError: there is no such batch.
            InvalidRequestError: it has ended.
        """
        return self._batches.cancel(batch_id)

    def get(self, batch_id: int) -> Batch:
        """Return the batch.

        Raises: NotFoundError.
        """
        return self._batches.get(batch_id)

    def newest(self, limit: int, *, before: int | None = None) -> list[Batch]:
        """Return batches and snapshots, newest first, or the next ones before an id."""
        return self._batches.newest(limit, before=before)

    def progress(self, batch_id: int) -> BatchProgress:
        """Return how far the batch is. Raises: NotFoundError."""
        return self._batches.progress(batch_id)

    def snapshot(self, batch_id: int) -> Preview:
        """Return what the preview of the batch has frozen. Raises: NotFoundError."""
        return self._snapshots.preview(batch_id)

    def members(self, batch_id: int) -> Iterator[Member]:
        """Yield every member in its order, with what became of it. Raises: NotFoundError."""
        return self._batches.members(batch_id)

    def _request_dispatch(self) -> None:
        app = self._find_app()
        if app is None:
            return
        # Only here: a look at batches loads no Celery.
        from artifact_pipeline.tasks.publish import ask_for_dispatch  # noqa: PLC0415

        try:
            ask_for_dispatch(app)
        except BrokerUnavailableError:
            logger.info("the broker does not answer: the next sweep will notice")
