"""The platform's side: a `JobController` in each of its sessions."""

from functools import cached_property
from typing import TYPE_CHECKING

from celery import Celery
from sqlalchemy.orm import Session

from artifact_pipeline.domain.catalog.locate import LocateArtifacts
from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.domain.model.requester import Requester, requester_name
from artifact_pipeline.domain.platform.job_controller import JobController
from artifact_pipeline.domain.ports.artifacts import IArtifactRepository
from artifact_pipeline.domain.ports.jobs import IJobRepository, IRunRepository
from artifact_pipeline.domain.ports.platform import IResultsRepository, IUploadLocationRepository
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from artifact_pipeline.tasks.app import broker_urls, producer_app
from artifact_pipeline.tasks.broker import PREFIX_VARIABLE
from artifact_pipeline.tasks.broker_kinds import REDIS, kind_of_url
from artifact_pipeline.tasks.keys import prefix_of
from artifact_pipeline.worker.composition.repositories import SessionRepositories
from artifact_pipeline.worker.settings import ProducerSettings, load
from artifact_pipeline.worker.sql.connections.sessions import synchronous_session
from artifact_pipeline.worker.sql.transfers.requests import SessionRequests

if TYPE_CHECKING:
    from artifact_pipeline.worker.composition.bucket_adapters import BucketAdapters
    from artifact_pipeline.worker.composition.file_adapters import FileAdapters


class Producer:
    """What a process of the platform has once: an S3 client, and an app to publish with.

    Args:
        settings: by default read from the environment (`ARTIFACTS_…`).
        app: the platform's own, with a broker; by default `producer_app` makes one.
        publish: False leaves every message to the dispatch, so that no commit waits for the
            broker.

    Raises:
        ConfigurationError: the app's keys in the broker have another prefix than the workers'.
    """

    def __init__(
        self,
        settings: ProducerSettings | None = None,
        app: Celery | None = None,
        *,
        publish: bool = True,
    ) -> None:
        self._settings = settings = settings or load(ProducerSettings)
        self._app = app or producer_app(settings.broker)
        _check_prefix(self._app, settings.broker_prefix)
        self._publish = publish

    def controller(self, session: Session, requested_by: Requester | None = None) -> JobController:
        """Return the use cases in this session: what they write commits with it, or not at all.

        Args:
            session: the platform's own.
            requested_by: the id or name of the user for whom everything is requested.

        Raises:
            InvalidRequestError: `requested_by` names no user.
            SessionTypeError: the session is asynchronous, or none.
        """
        requester_name(requested_by)
        session = synchronous_session(session)
        requests = SessionRequests(
            session,
            self._app,
            publish=self._publish,
            # The settings that were given, and not what the environment says now.
            workspace=self._settings.workspace_name or "",
        )
        return _SessionController(self, SessionRepositories(session), requests, requested_by)

    @cached_property
    def bucket(self) -> "BucketAdapters | FileAdapters":
        """The adapters of the store, which all sessions share."""
        # Only here: a process that only requests or cancels transfers loads no boto3.
        from artifact_pipeline.worker.composition.adapters import store_adapters  # noqa: PLC0415

        return store_adapters(self._settings)


class _SessionController(JobController):
    """A controller that makes each adapter when a use case first needs it."""

    def __init__(
        self,
        producer: Producer,
        sql: SessionRepositories,
        requests: SessionRequests,
        requested_by: Requester | None,
    ) -> None:
        self._producer = producer
        self._sql = sql
        # The base is frozen: its fields cannot be assigned.
        object.__setattr__(self, "transfer_requests", requests)
        object.__setattr__(self, "requested_by", requested_by)

    @property
    def job_repository(self) -> IJobRepository:
        return self._sql.jobs

    @property
    def run_repository(self) -> IRunRepository:
        return self._sql.runs

    @property
    def artifact_repository(self) -> IArtifactRepository:
        return self._sql.artifacts

    @property
    def transfer_repository(self) -> ITransferRepository:
        return self._sql.transfers

    @cached_property
    def upload_location_repository(self) -> IUploadLocationRepository:
        return self._producer.bucket.upload_locations.recording_in(self._sql.artifacts)

    @property
    def results_repository(self) -> IResultsRepository:
        return self._producer.bucket.results

    @cached_property
    def locate(self) -> LocateArtifacts:
        from artifact_pipeline.worker.composition.adapters import locate_artifacts  # noqa: PLC0415

        return locate_artifacts(self._producer.bucket, self._sql)


def _check_prefix(app: Celery, prefix: str) -> None:
    kind = kind_of_url(next(iter(broker_urls(app)), "")) or REDIS
    given, wanted = prefix_of(app), kind.prefix(prefix)
    if given != wanted:
        option = kind.prefix_option or REDIS.prefix_option
        raise ConfigurationError(
            f"{PREFIX_VARIABLE}={prefix}: this Celery app has {option}={given!r}, so no worker"
            f" would see its messages. Set broker_transport_options[{option!r}] to {wanted!r}"
        )
