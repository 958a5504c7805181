"""Asking for a transfer inside the producer's own transaction."""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from celery import Celery
from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction

from artifact_pipeline.domain.errors import InvalidRequestError, PipelineError
from artifact_pipeline.domain.model.artifacts import Artifact, kind_of
from artifact_pipeline.domain.model.kinds import JOB_KINDS, ArtifactKind
from artifact_pipeline.domain.model.requester import Requester, new_request_id, requester_name
from artifact_pipeline.domain.model.trace_context import current_trace
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.tasks.app import ensure_configured, pipeline_app
from artifact_pipeline.tasks.publish import publish as publish_all
from artifact_pipeline.worker.sql.connections.sessions import synchronous_session
from artifact_pipeline.worker.sql.engine import session_connection
from artifact_pipeline.worker.sql.errors import translated_errors
from artifact_pipeline.worker.sql.transfers.job_requests import JobRequest
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.statements import (
    Asked,
    request_transfer,
    request_transfers,
)

logger = logging.getLogger(__name__)

_KEY = "artifacts.unsent"


@dataclass(frozen=True)
class _Request:
    transfer: Transfer
    app: Celery
    made_in: SessionTransaction
    connection: Connection
    is_of_whole_job: bool = False

    def is_committed_by(self, ended: SessionTransaction | None) -> bool:
        # A session that was given a connection with a transaction commits nothing: the owner of the
        # connection may still roll back. The dispatch sends what the owner commits.
        return _is_within(self.made_in, ended) and not self.connection.in_transaction()


@dataclass
class _Unsent:
    """The requests of one session that no commit has sent yet."""

    requests: list[_Request] = field(default_factory=list)

    def forget(self, rolled_back: SessionTransaction) -> None:
        self.requests = [
            request for request in self.requests if not _is_within(request.made_in, rolled_back)
        ]

    def take(self, ended: SessionTransaction | None) -> list[_Request]:
        """Return the transfers that this transaction has committed.

        The others were rolled back with their session's close(), for which there is no event.
        """
        taken, self.requests = self.requests, []
        return [request for request in taken if request.is_committed_by(ended)]


def request_upload(  # noqa: PLR0913 - what, for whom, and how its message leaves
    session: Session,
    kind: ArtifactKind | str,
    job_id: int,
    run_id: int | None = None,
    *,
    app: Celery | None = None,
    requested_by: Requester | None = None,
    publish: bool = True,
) -> Transfer:
    """Ask for an upload in the session's transaction; its message leaves after the commit.

    Asking again while a transfer of the artifact is active returns that one. If the broker is
    away at the commit, the request stays in SQL and the dispatch sends it later.

    Args:
        session: of SQLite or PostgreSQL, with the pipeline's tables.
        kind: what to upload; also by its text, such as "run_results".
        job_id: whose it is; the job may be inserted in the same transaction.
        run_id: for the kinds that belong to a run, and for no other.
        app: with a broker; by default what `producer_app` made, else Celery's current one.
        requested_by: the id or name of the user who asks.
        publish: False leaves the message to the next dispatch, a few seconds later, so that the
            commit never waits for the broker; no app is needed then.

    Raises:
        InvalidRequestError: the kind and the ids name no artifact, or `requested_by` no user.
        ProducerNotConfiguredError: no Celery app with a broker was made in this process.
    """
    requests = SessionRequests(session, app, requested_by, publish)
    return requests.request(Artifact(kind_of(kind), job_id, run_id), Direction.UPLOAD)


def request_uploads(
    session: Session,
    artifacts: Iterable[tuple[ArtifactKind | str, int, int | None]],
    *,
    app: Celery | None = None,
    requested_by: Requester | None = None,
    publish: bool = True,
) -> list[Transfer]:
    """Ask for many uploads by one INSERT; their messages leave together after the commit.

    `artifacts` has the kind, the job's id, and the run's id or None of each. The transfers are
    returned in the same order. One that is active already is returned. Other arguments and
    errors: as `request_upload`; if the ids of one name no artifact, nothing is requested.
    """
    requests = SessionRequests(session, app, requested_by, publish)
    return requests.request_many(list(map(_artifact_of, artifacts)), Direction.UPLOAD)


def request_job_uploads(  # noqa: PLR0913 - as request_upload
    session: Session,
    job_id: int,
    *,
    kinds: Iterable[ArtifactKind | str] | None = None,
    app: Celery | None = None,
    requested_by: Requester | None = None,
    publish: bool = True,
) -> list[Transfer]:
    """Ask for the uploads of a whole job by one INSERT; their messages leave after the commit.

    More than 32 configs have a few messages together, of the task `artifacts.upload_job`.

    `kinds` are kinds of the job itself and of each of its runs, by default all. The session is
    flushed first. Only new transfers are returned: an artifact with an active transfer keeps that
    one. Other arguments and errors: as `request_upload`.
    """
    requests = SessionRequests(session, app, requested_by, publish)
    of = [kinds] if isinstance(kinds, str) else ArtifactKind if kinds is None else kinds
    return requests.request_job(job_id, frozenset(map(kind_of, of)), Direction.UPLOAD)


def _artifact_of(given: Any) -> Artifact:  # noqa: ANN401 - whatever a caller gives
    match given:
        case (kind, job_id, run_id):
            return Artifact(kind, job_id, run_id)
    raise InvalidRequestError(f"artifacts: {given!r} is not a tuple (kind, job_id, run_id)")


def request_download(  # noqa: PLR0913 - as request_upload
    session: Session,
    kind: ArtifactKind | str,
    job_id: int,
    run_id: int | None = None,
    *,
    app: Celery | None = None,
    requested_by: Requester | None = None,
    publish: bool = True,
) -> Transfer:
    """Ask for a download into the workspace. Arguments and errors: as `request_upload`."""
    requests = SessionRequests(session, app, requested_by, publish)
    return requests.request(Artifact(kind_of(kind), job_id, run_id), Direction.DOWNLOAD)


def request_in(
    session: Session, artifact: Artifact, direction: Direction, app: Celery | None = None
) -> Transfer:
    """Request a transfer of any direction, as `request_upload` does for uploads."""
    return SessionRequests(session, app).request(artifact, direction)


@dataclass(frozen=True)
class SessionRequests:
    """Asking for transfers in a producer's session. Arguments and errors: as `request_upload`."""

    session: Session
    app: Celery | None = None
    requested_by: Requester | None = None
    publish: bool = True

    def request(
        self, artifact: Artifact, direction: Direction, requested_by: Requester | None = None
    ) -> Transfer:
        name = requester_name(self.requested_by if requested_by is None else requested_by)
        return self._insert(
            lambda connection, state: [
                request_transfer(
                    connection, artifact, direction, new_request_id(name), name, state=state
                )
            ]
        )[0]

    def request_many(self, artifacts: Sequence[Artifact], direction: Direction) -> list[Transfer]:
        name, trace = requester_name(self.requested_by), current_trace()

        def insert(connection: Connection, state: TransferState) -> list[Transfer]:
            rest = (direction, name, state, trace)
            asked = [Asked(new_request_id(name), each, *rest) for each in artifacts]
            return request_transfers(connection, asked)

        return self._insert(insert)

    def request_job(
        self, job_id: int, kinds: Collection[ArtifactKind], direction: Direction
    ) -> list[Transfer]:
        name = requester_name(self.requested_by)
        _ = Artifact(JOB_KINDS[0], job_id)  # checks the id
        request = JobRequest(job_id=job_id, kinds=kinds, direction=direction, requested_by=name)
        return self._insert(request.insert, is_of_whole_job=True)

    def _insert(
        self,
        insert: Callable[[Connection, TransferState], list[Transfer]],
        *,
        is_of_whole_job: bool = False,
    ) -> list[Transfer]:
        """Insert in the session's transaction, and have the messages sent after its commit."""
        app = self._app()
        state = TransferState.WAITING if app is None else TransferState.REQUESTED
        session = synchronous_session(self.session)
        if is_of_whole_job:
            session.flush()  # the job's runs are read in the database
        with translated_errors(), session_connection(session) as connection:
            transfers = insert(connection, state)
        if app is not None:
            _send_after_commit(session, connection, transfers, app, is_of_whole_job)
        return transfers

    def confirm(self, job_id: int, run_id: int | None) -> list[Transfer]:
        app = self._app()
        session = synchronous_session(self.session)
        expected = SqlTransfers(session).make_due(Direction.CONFIRM, job_id, run_id)
        if app is not None:
            _send_after_commit(session, session.connection(), expected, app)
        return expected

    def _app(self) -> Celery | None:
        """Return the app that publishes after the commit, or None if the dispatch is to."""
        if not self.publish:
            return None
        app = self.app or pipeline_app()
        # Check now, and not after the commit, where the caller would not get the error.
        ensure_configured(app)
        return app


def _send_after_commit(
    session: Session,
    connection: Connection,
    transfers: Sequence[Transfer],
    app: Celery,
    is_of_whole_job: bool = False,  # noqa: FBT001, FBT002 - as in `_Request`
) -> None:
    innermost = session.get_nested_transaction() or session.get_transaction()
    if innermost is not None:
        requests = [
            _Request(transfer, app, innermost, connection, is_of_whole_job)
            for transfer in transfers
        ]
        _unsent_of(session).requests.extend(requests)


def _unsent_of(session: Session) -> _Unsent:
    unsent: _Unsent = session.info.setdefault(_KEY, _Unsent())
    return unsent


# Listen to all sessions at once: listening to each new one would cost a fifth of a request.
@event.listens_for(Session, "after_commit")
def _after_commit(session: Session) -> None:
    # Releasing a savepoint is a commit to SQLAlchemy as well, and may yet be rolled back.
    if _KEY in session.info and not session.in_nested_transaction():
        _send(_unsent_of(session).take(session.get_transaction()))


@event.listens_for(Session, "after_soft_rollback")
def _after_rollback(session: Session, previous: SessionTransaction) -> None:
    if _KEY in session.info:
        _unsent_of(session).forget(previous)


def _is_within(inner: SessionTransaction | None, outer: SessionTransaction | None) -> bool:
    while inner is not None and inner is not outer:
        inner = inner.parent
    return inner is not None


def _send(requests: Sequence[_Request]) -> None:
    for app in {request.app for request in requests}:
        sent = [request for request in requests if request.app is app]
        transfers = [request.transfer for request in sent]
        of_jobs = {each.transfer.artifact.job_id for each in sent if each.is_of_whole_job}
        try:
            publish_all(transfers, app, of_jobs=of_jobs)
        except Exception as error:  # noqa: BLE001 - it would look as if the commit had failed
            # The commit has succeeded, and so has the request; it only takes longer. The message
            # of a foreign error may quote the broker's URL.
            said = str(error) if isinstance(error, PipelineError) else type(error).__name__
            logger.warning("%d requests wait for the dispatch: %s", len(transfers), said)
