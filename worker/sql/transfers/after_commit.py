"""Publishing what a producer's session has requested, after its commit."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from celery import Celery
from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.tasks.publish import publish as publish_all
from artifact_pipeline.worker.sql.transfers.in_transaction import send_in_transaction

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


def send_after_commit(
    session: Session,
    connection: Connection,
    transfers: Sequence[Transfer],
    app: Celery,
    is_of_whole_job: bool = False,  # noqa: FBT001, FBT002 - as in `_Request`
) -> None:
    """Have the messages of the transfers sent once the session's transaction is committed.

    Where the session's database is the broker, they are sent in the transaction itself.
    """
    if send_in_transaction(session, connection, transfers, app, is_of_whole_job=is_of_whole_job):
        return
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
