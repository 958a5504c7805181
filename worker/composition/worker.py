"""The composition root of a worker: which use case stands behind which task."""

import logging
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cached_property, partial

from celery import Celery

from artifact_pipeline.domain.catalog.verified_job import verified_counts
from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.domain.maintenance.deliver_events import DeliveredEvents
from artifact_pipeline.domain.maintenance.dispatch import DispatchDueTransfers
from artifact_pipeline.domain.maintenance.reconcile import (
    ReconcileSummary,
)
from artifact_pipeline.domain.maintenance.release_batches import AdvanceBatches
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.audit_cursor import AuditedPages
from artifact_pipeline.domain.model.kinds import SMALL_KINDS
from artifact_pipeline.domain.model.retention_results import RetentionResult
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferSummary
from artifact_pipeline.domain.ports.tracing import NoTracing, Tracing
from artifact_pipeline.domain.transfers.confirm_upload import RequestConfirmations
from artifact_pipeline.domain.transfers.done_uploads import DoneUploads
from artifact_pipeline.domain.transfers.download import RequestDownloads
from artifact_pipeline.domain.transfers.page_limits import PageLimits
from artifact_pipeline.domain.transfers.page_runner import PageRunner
from artifact_pipeline.domain.transfers.page_turns import PageTurns
from artifact_pipeline.domain.transfers.page_watch import PageWatch
from artifact_pipeline.domain.transfers.relocate import RequestRelocations
from artifact_pipeline.domain.transfers.renewals import SharedRenewals
from artifact_pipeline.domain.transfers.runner import TransferRunner
from artifact_pipeline.domain.transfers.upload_job import JobUploads, UploadJob
from artifact_pipeline.tasks.hand_on import hand_on
from artifact_pipeline.tasks.last_dispatch import note_dispatch
from artifact_pipeline.tasks.publish import (
    ask_for_dispatch,
    broker_epoch,
    publish,
    room,
)
from artifact_pipeline.tasks.receipt import BareRequest
from artifact_pipeline.worker.composition.adapters import Adapters
from artifact_pipeline.worker.composition.audits import audit_pages
from artifact_pipeline.worker.composition.events import (
    Receivers,
    deliver_events,
    event_receivers,
)
from artifact_pipeline.worker.composition.handlers import Handlers
from artifact_pipeline.worker.composition.manifests import request_manifests, write_manifest
from artifact_pipeline.worker.composition.process_name import new_process_name
from artifact_pipeline.worker.composition.reconciling import reconcile
from artifact_pipeline.worker.composition.retention import apply_next_page
from artifact_pipeline.worker.settings import WorkerSettings
from artifact_pipeline.worker.sql.batches.releases import SqlBatchReleases
from artifact_pipeline.worker.sql.database_id import read_database_id
from artifact_pipeline.worker.sql.named_workspaces import SqlNamedWorkspaces
from artifact_pipeline.worker.sql.transfers.receipt import record_requests
from artifact_pipeline.worker.sql.transfers.revocations import WAITING, cancel_revoked

logger = logging.getLogger(__name__)


class Composition:
    """The use cases of one process, on connections that are its own.

    Nothing connects before the first call. A process that was forked off must call `after_fork`.

    Args:
        settings: of the environment.
        app: that the messages are sent with.
        watch, turns, done: as `PageRunner`; a worker's processes share them.
        new_tracing: as `Adapters`; called in the process that traces.
    """

    def __init__(  # noqa: PLR0913 - the last four are for real workers alone
        self,
        settings: WorkerSettings,
        app: Celery,
        watch: PageWatch | None = None,
        *,
        turns: PageTurns | None = None,
        done: DoneUploads | None = None,
        new_tracing: Callable[[], Tracing] = NoTracing,
    ) -> None:
        self._settings = settings
        self._watch = watch
        self._turns = turns
        self._done = done
        self._new_tracing = new_tracing
        self._app = app
        # The name is of the process that made this, and so the same for all children that it forks.
        self._worker = new_process_name()
        self.adapters = self._new_adapters()
        self.handlers = Handlers(settings, self.adapters)

    def transfer(
        self,
        direction: Direction,
        artifact: Artifact,
        request_id: str,
        *,
        is_alone: bool = False,
        workspace: str | None = None,
    ) -> TransferSummary:
        if direction is Direction.UPLOAD and self._settings.page_size > 1 and not is_alone:
            return self.page_runner(artifact, request_id, workspace)
        return self.runner(artifact, direction, request_id, workspace)

    @property
    def workspace(self) -> str | None:
        return self._settings.workspace_name

    def requested(self, direction: Direction, job_id: int, request_id: str) -> Artifact | None:
        transfer = self.adapters.transfers.of_request(request_id, job_id, direction)
        return transfer.artifact if transfer else None

    def request_confirmations(self, job_id: int, run_id: int | None) -> int:
        request = RequestConfirmations(
            transfers=self.adapters.transfers,
            placement=self.adapters.placement,
            artifacts=self.adapters.artifacts,
            reader=self.adapters.reader,
            publish=self._publish,
        )
        return request(job_id, run_id)

    def request_relocations(self, job_id: int) -> int:
        request = RequestRelocations(
            transfers=self.adapters.transfers,
            locate=self.adapters.locate,
            publish=self._publish,
        )
        return request(job_id)

    def request_downloads(self, job_id: int, workspace: str | None = None) -> int:
        request = RequestDownloads(
            transfers=self.adapters.transfers,
            locate=self.adapters.locate,
            publish=self._publish,
        )
        return request(job_id, workspace)

    def upload_job(self, job_id: int) -> JobUploads:
        return UploadJob(page=self.page_runner.of_job)(job_id)

    def verify_job(self, job_id: int) -> dict[str, int]:
        return verified_counts(job_id, self.adapters.verify(job_id))

    def write_manifest(self, job_id: int) -> bool:
        return write_manifest(job_id, self._settings, self.adapters)

    def request_manifests(self) -> int:
        return request_manifests(self._settings, self.adapters, self._app)

    def record(self, requests: Sequence[BareRequest]) -> None:
        """Insert the requests of bare messages. Raises: SqlUnavailableError."""
        record_requests(self.adapters.engine, requests)

    def database_id(self) -> str | None:
        """Return what tells this database from others. Raises: SqlUnavailableError."""
        engine = self.adapters.engine
        try:
            return read_database_id(engine)
        finally:
            # The worker forks next, and SQLite forbids an open connection at a fork: a commit of
            # the child could be lost.
            engine.dispose()

    def note_workspace(self) -> None:
        """Note a sign of life of the workspace. Raises: SqlUnavailableError."""
        if self.workspace is not None:
            SqlNamedWorkspaces(self.adapters.engine).note_sign_of_life(self.workspace)

    def revoke_waiting(self, request_ids: Sequence[str]) -> None:
        """Cancel those that no worker holds yet. Raises: SqlUnavailableError."""
        cancel_revoked(self.adapters.engine, request_ids, of=WAITING, events=self.adapters.events)

    def revoke(self, request_ids: Sequence[str]) -> None:
        """Cancel the transfers whose tasks were revoked. Raises: SqlUnavailableError."""
        cancel_revoked(self.adapters.engine, request_ids, events=self.adapters.events)

    def release_leases(self) -> int:
        """Give back what this worker's children were at, now that they have ended."""
        return self.adapters.transfers.release_leases(self._worker)

    def ask_for_dispatch(self) -> None:
        """Have another worker publish what was handed on. Raises: BrokerUnavailableError."""
        ask_for_dispatch(self._app)

    def close_tracing(self) -> None:
        """Send the traces of this process that are not sent yet."""
        self.adapters.close_tracing()

    def after_fork(self) -> None:
        """Make new connections, without closing the parent's."""
        self.adapters.forget_parent()
        self.adapters = self._new_adapters()
        self.handlers = Handlers(self._settings, self.adapters)
        for made in ("page_runner", "_event_receivers"):
            self.__dict__.pop(made, None)

    @cached_property
    def page_runner(self) -> PageRunner:
        """What runs uploads in pages; it lives as long as the process."""
        pages, settings = self.adapters.upload_pages, self._settings
        # In SQLite each page has one upload, so processes do not share what is due.
        has_pages = self.adapters.engine.dialect.name == "postgresql"
        return PageRunner(
            runner=lambda: self.runner,
            pages=pages,
            publish=self._publish,
            renewals=SharedRenewals(pages, self.adapters.transfers, settings.lease),
            kinds=SMALL_KINDS,
            limits=PageLimits(size=settings.page_size, threads=settings.page_threads),
            watch=self._watch,
            turns=self._turns if has_pages else None,
            done=self._done,
        )

    @property
    def runner(self) -> TransferRunner:
        """What runs transfers; it makes a handler when a transfer needs it."""
        return self.adapters.runner(
            self.handlers, self.handlers.circuits, hand_on=partial(hand_on, app=self._app)
        )

    def dispatch(self) -> int:
        settings = self._settings
        dispatch = DispatchDueTransfers(
            transfers=self.adapters.transfers,
            publish=self._publish_traced,
            room=partial(room, settings.dispatch_queue_limit, self._app),
            # Fewer than one message.
            empty=partial(room, 1, self._app),
            broker_epoch=partial(broker_epoch, app=self._app),
            page_size=settings.dispatch_page,
            unclaimed_after=timedelta(seconds=settings.dispatch_unclaimed_seconds),
            republish_after=timedelta(seconds=settings.dispatch_republish_seconds),
        )
        published = dispatch()
        self._note_dispatch()
        return published

    def advance_batches(self) -> int:
        limit = self._settings.dispatch_queue_limit
        advance = AdvanceBatches(
            batches=SqlBatchReleases(self.adapters.engine, self.adapters.events),
            publish=self._publish_traced,
            has_room=lambda: room(limit, self._app).batches,
            page_size=self._settings.dispatch_page,
        )
        return advance()

    def reconcile(self) -> ReconcileSummary:
        return reconcile(self._settings, self.adapters, self.handlers, self._app)

    def apply_retention(self) -> RetentionResult:
        return apply_next_page(self._settings, self.adapters)

    def audit(self) -> AuditedPages:
        return audit_pages(self._settings, self.adapters)

    def deliver_events(self) -> DeliveredEvents:
        if not self._settings.events:
            return DeliveredEvents()
        return deliver_events(self._settings, self.adapters.engine, self._event_receivers)

    @cached_property
    def _event_receivers(self) -> Receivers:
        return event_receivers(self._settings, self.adapters.engine, self._app)

    def _new_adapters(self) -> Adapters:
        return Adapters(
            self._settings,
            owner=f"{self._worker}:{os.getpid()}",
            requests=self._settings.page_threads,
            new_tracing=self._new_tracing,
            workspace=self._settings.workspace_name,
        )

    def _note_dispatch(self) -> None:
        try:
            note_dispatch(self.adapters.transfers.now(), self._app)
        except BrokerUnavailableError as error:
            # The sweep itself is done; a broker that is full must not stop the batches.
            logger.warning("the end of the dispatch was not recorded: %s", error)

    def _publish_traced(self, transfers: Sequence[Transfer]) -> None:
        with self.adapters.tracing.publishing(transfers):
            publish(transfers, self._app)

    def _publish(self, transfers: Sequence[Transfer]) -> None:
        try:
            self._publish_traced(transfers)
        except BrokerUnavailableError as error:
            logger.warning("%d requests wait for the dispatch: %s", len(transfers), error)
