"""Asking for a transfer inside the producer's own transaction."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from celery import Celery
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact, kind_of
from artifact_pipeline.domain.model.kinds import JOB_KINDS, ArtifactKind
from artifact_pipeline.domain.model.requester import (
    Requester,
    new_request_id,
    new_request_ids,
    requester_name,
)
from artifact_pipeline.domain.model.trace_context import current_trace
from artifact_pipeline.domain.model.transfers import (
    WORKSPACE_DIRECTIONS,
    Direction,
    Transfer,
    TransferState,
)
from artifact_pipeline.tasks.app import ensure_configured, pipeline_app
from artifact_pipeline.tasks.own_workspace import requested_workspace
from artifact_pipeline.worker.sql.connections.sessions import synchronous_session
from artifact_pipeline.worker.sql.engine import session_connection
from artifact_pipeline.worker.sql.errors import translated_errors
from artifact_pipeline.worker.sql.transfers.after_commit import send_after_commit
from artifact_pipeline.worker.sql.transfers.insertion import (
    Asked,
    request_transfer,
    request_transfers,
)
from artifact_pipeline.worker.sql.transfers.job_requests import JobRequest
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers


def request_upload(  # noqa: PLR0913 - what, for whom, and how its message leaves
    session: Session,
    kind: ArtifactKind | str,
    job_id: int,
    run_id: int | None = None,
    *,
    app: Celery | None = None,
    requested_by: Requester | None = None,
    publish: bool = True,
    workspace: str | None = None,
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
        workspace: the name of the workspace with the files; by default ARTIFACTS_WORKSPACE_NAME.
            An empty text is the default workspace.

    Raises:
        InvalidRequestError: the kind and the ids name no artifact, `requested_by` no user, or
            `workspace` no workspace.
        ProducerNotConfiguredError: no Celery app with a broker was made in this process.
    """
    requests = SessionRequests(session, app, requested_by, publish, workspace)
    return requests.request(Artifact(kind_of(kind), job_id, run_id), Direction.UPLOAD)


def request_uploads(  # noqa: PLR0913 - as request_upload
    session: Session,
    artifacts: Iterable[tuple[ArtifactKind | str, int, int | None]],
    *,
    app: Celery | None = None,
    requested_by: Requester | None = None,
    publish: bool = True,
    workspace: str | None = None,
) -> list[Transfer]:
    """Ask for many uploads by one INSERT; their messages leave together after the commit.

    `artifacts` has the kind, the job's id, and the run's id or None of each. The transfers are
    returned in the same order. One that is active already is returned. Other arguments and
    errors: as `request_upload`; if the ids of one name no artifact, nothing is requested.
    """
    requests = SessionRequests(session, app, requested_by, publish, workspace)
    return requests.request_many(list(map(_artifact_of, artifacts)), Direction.UPLOAD)


def request_job_uploads(  # noqa: PLR0913 - as request_upload
    session: Session,
    job_id: int,
    *,
    kinds: Iterable[ArtifactKind | str] | None = None,
    app: Celery | None = None,
    requested_by: Requester | None = None,
    publish: bool = True,
    workspace: str | None = None,
) -> list[Transfer]:
    """Ask for the uploads of a whole job by one INSERT; their messages leave after the commit.

    More than 32 configs have a few messages together, of the task `artifacts.upload_job`.

    `kinds` are kinds of the job itself and of each of its runs, by default all. The session is
    flushed first. Only new transfers are returned: an artifact with an active transfer keeps that
    one. Other arguments and errors: as `request_upload`.
    """
    requests = SessionRequests(session, app, requested_by, publish, workspace)
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
    workspace: str | None = None,
) -> Transfer:
    """Ask for a download into the workspace. Arguments and errors: as `request_upload`."""
    requests = SessionRequests(session, app, requested_by, publish, workspace)
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
    workspace: str | None = None

    def request(
        self, artifact: Artifact, direction: Direction, requested_by: Requester | None = None
    ) -> Transfer:
        name = requester_name(self.requested_by if requested_by is None else requested_by)
        workspace = self._workspace_of(direction)
        return self._insert(
            lambda connection, state: [
                request_transfer(
                    connection,
                    artifact,
                    direction,
                    new_request_id(name),
                    name,
                    state=state,
                    workspace=workspace,
                )
            ]
        )[0]

    def request_many(self, artifacts: Sequence[Artifact], direction: Direction) -> list[Transfer]:
        name, trace = requester_name(self.requested_by), current_trace()
        workspace = self._workspace_of(direction)

        def insert(connection: Connection, state: TransferState) -> list[Transfer]:
            rest = (direction, name, state, trace, workspace)
            ids = new_request_ids(name, len(artifacts))
            named = zip(ids, artifacts, strict=True)
            return request_transfers(connection, [Asked(each, of, *rest) for each, of in named])

        return self._insert(insert)

    def request_job(
        self, job_id: int, kinds: Collection[ArtifactKind], direction: Direction
    ) -> list[Transfer]:
        name = requester_name(self.requested_by)
        _ = Artifact(JOB_KINDS[0], job_id)  # checks the id
        request = JobRequest(
            job_id=job_id,
            kinds=kinds,
            direction=direction,
            requested_by=name,
            workspace=self._workspace_of(direction),
        )
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
            send_after_commit(session, connection, transfers, app, is_of_whole_job)
        return transfers

    def confirm(self, job_id: int, run_id: int | None) -> list[Transfer]:
        app = self._app()
        session = synchronous_session(self.session)
        expected = SqlTransfers(session).make_due(Direction.CONFIRM, job_id, run_id)
        if app is not None:
            send_after_commit(session, session.connection(), expected, app)
        return expected

    def _workspace_of(self, direction: Direction) -> str | None:
        needs_one = direction in WORKSPACE_DIRECTIONS
        return requested_workspace(self.workspace) if needs_one else None

    def _app(self) -> Celery | None:
        """Return the app that publishes after the commit, or None if the dispatch is to."""
        if not self.publish:
            return None
        app = self.app or pipeline_app()
        # Check now, and not after the commit, where the caller would not get the error.
        ensure_configured(app)
        return app
