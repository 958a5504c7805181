"""The platform's side: a `JobController` in each of its sessions."""

from celery import Celery
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.domain.model.requester import Requester, requester_name
from artifact_pipeline.domain.platform.job_controller import JobController
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.broker import PREFIX_VARIABLE
from artifact_pipeline.tasks.keys import prefix_of
from artifact_pipeline.worker.composition.adapters import locate_artifacts, store_adapters
from artifact_pipeline.worker.composition.repositories import SessionRepositories
from artifact_pipeline.worker.settings import ProducerSettings, load
from artifact_pipeline.worker.sql.connections.sessions import synchronous_session
from artifact_pipeline.worker.sql.transfers.requests import SessionRequests


class Producer:
    """What a process of the platform has once: an S3 client, and an app to publish with.

    Args:
        settings: by default those of the environment (`ARTIFACTS_…`).
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
        settings = settings or load(ProducerSettings)
        self._app = app or producer_app(settings.broker)
        _check_prefix(self._app, settings.broker_prefix)
        self._bucket = store_adapters(settings)
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
        sql = SessionRepositories(session)
        return JobController(
            job_repository=sql.jobs,
            run_repository=sql.runs,
            artifact_repository=sql.artifacts,
            transfer_repository=sql.transfers,
            transfer_requests=SessionRequests(session, self._app, publish=self._publish),
            requested_by=requested_by,
            upload_location_repository=self._bucket.upload_locations.recording_in(sql.artifacts),
            results_repository=self._bucket.results,
            locate=locate_artifacts(self._bucket, sql),
        )


def _check_prefix(app: Celery, prefix: str) -> None:
    given = prefix_of(app)
    if given != prefix:
        raise ConfigurationError(
            f"{PREFIX_VARIABLE}={prefix}: this Celery app has global_keyprefix={given!r}, so no"
            " worker would see its messages. Set broker_transport_options['global_keyprefix']"
        )
