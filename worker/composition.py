"""The composition root: which adapter serves which port, made when it is first needed."""

import os
import socket
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property, partial

from celery import Celery
from sqlalchemy import Engine

from domain.artifacts import Artifact
from domain.breaker import Breaker
from domain.dispatch import DispatchDueTransfers
from domain.reconcile import AbortAbandonedUploads, ReconcileSummary
from domain.retry import Backoff
from domain.transfers import Transfer, TransferSummary
from domain.upload import UploadArtifact
from tasks.enqueue import kinds_with_room, publish, remembers_since
from worker.s3.client import make_client
from worker.s3.store import Encryption, S3ObjectStore
from worker.settings import WorkerSettings
from worker.sql.artifacts import SqlArtifacts
from worker.sql.endpoints import SqlEndpointFailures
from worker.sql.engine import make_engine
from worker.sql.platform import SqlJobs, SqlRuns
from worker.sql.transfers import SqlTransfers
from worker.workspace import Workspace


class Composition:
    """The use cases of one process, on connections that are its own.

    Nothing connects before the first call. A process that was forked off must call `after_fork`:
    a connection that two processes share gives each the other's answers.
    """

    def __init__(self, settings: WorkerSettings, app: Celery) -> None:
        self._settings = settings
        self._app = app
        # Of the process that made this, and so the same for all children it forks.
        self._worker = f"{socket.gethostname()}:{os.getpid()}"

    def upload(self, artifact: Artifact, request_id: str) -> TransferSummary:
        return self.use_case(artifact, request_id)

    def dispatch(self) -> int:
        return self._dispatch()

    def reconcile(self) -> ReconcileSummary:
        return self._reconcile()

    def give_back(self) -> int:
        """Hand on what this worker's children were at, now that they have ended."""
        return SqlTransfers(self.engine).give_back(self._worker)

    def after_fork(self) -> None:
        """Forget the parent's connections, without closing what is the parent's."""
        inherited = self.__dict__.pop("engine", None)
        if inherited is not None:
            inherited.dispose(close=False)
        for name in ("use_case", "_dispatch", "_reconcile"):
            self.__dict__.pop(name, None)

    @cached_property
    def engine(self) -> Engine:
        return make_engine(self._settings.database_url)

    @cached_property
    def _dispatch(self) -> DispatchDueTransfers:
        settings = self._settings
        return DispatchDueTransfers(
            transfers=SqlTransfers(self.engine),
            publish=partial(_publish, self._app),
            kinds_with_room=partial(kinds_with_room, settings.dispatch_queue_limit, self._app),
            remembers_since=partial(remembers_since, app=self._app),
            page_size=settings.dispatch_page,
            unclaimed_after=timedelta(seconds=settings.dispatch_unclaimed_seconds),
            republish_after=timedelta(seconds=settings.dispatch_republish_seconds),
        )

    @cached_property
    def _reconcile(self) -> AbortAbandonedUploads:
        return AbortAbandonedUploads(
            transfers=SqlTransfers(self.engine),
            store=make_store(self._settings),
            abandoned_after=timedelta(hours=self._settings.abandoned_upload_hours),
        )

    @cached_property
    def use_case(self) -> UploadArtifact:
        settings = self._settings
        store = make_store(settings)
        return UploadArtifact(
            jobs=SqlJobs(self.engine),
            runs=SqlRuns(self.engine),
            artifacts=SqlArtifacts(self.engine),
            transfers=SqlTransfers(self.engine),
            workspace=Workspace(settings.workspace),
            store=store,
            breaker=Breaker(
                SqlEndpointFailures(self.engine, settings.failures_forgotten_after),
                store.endpoint,
                threshold=settings.breaker_failures,
                cool_off=timedelta(seconds=settings.breaker_seconds),
            ),
            owner=f"{self._worker}:{os.getpid()}",
            lease=settings.lease,
            max_attempts=settings.max_attempts,
            backoff=Backoff(
                timedelta(seconds=settings.backoff_base_seconds),
                timedelta(seconds=settings.backoff_cap_seconds),
            ),
        )


def make_store(settings: WorkerSettings) -> S3ObjectStore:
    """The bucket that the settings name."""
    return S3ObjectStore(
        client=make_client(
            settings.s3_endpoint_url,
            settings.transfer_threads,
            read_timeout_seconds=settings.s3_timeout_seconds,
        ),
        bucket=settings.bucket,
        encryption=Encryption(settings.sse, settings.kms_key_id),
        multipart_threshold=settings.multipart_threshold,
        part_size=settings.part_size,
        threads=settings.transfer_threads,
    )


def _publish(app: Celery, transfers: Sequence[Transfer]) -> None:
    publish(transfers, app)
