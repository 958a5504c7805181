"""A producer's session, and what it sent."""

import json
import socket
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from celery import Celery
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import RepublishPolicy, Transfer
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.tasks.routing import CONFIGS, RESULTS, queue_of, task_name
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from tests.contract.transfer_steps import ROOM, loss


class Message(NamedTuple):
    queue: str
    task: str
    id: str
    job_id: int
    run_id: int | None = None


def artifacts_of(transfers: list[Transfer]) -> list[tuple[ArtifactKind, int, int | None]]:
    """Return what was asked for, as `request_uploads` takes it."""
    named = [transfer.artifact for transfer in transfers]
    return [(each.kind, each.job_id, each.run_id) for each in named]


def sent_to(broker: Valkey) -> list[Message]:
    """The messages that wait in the queues, the newest first."""
    with broker.client() as client:
        found: Any = [(queue, client.lrange(queue, 0, -1)) for queue in (CONFIGS, RESULTS)]
    return [_message(queue, json.loads(raw)) for queue, messages in found for raw in messages]


def _message(queue: str, message: Any) -> Message:
    headers = message["headers"]
    _, ids, _ = json.loads(b64decode(message["body"]))
    return Message(queue, headers["task"], headers["id"], **ids)


def message_of(transfer: Transfer) -> Message:
    """What must be sent for it."""
    artifact = transfer.artifact
    return Message(
        queue_of(artifact.kind),
        task_name(transfer.direction, artifact.kind),
        transfer.request_id,
        artifact.job_id,
        artifact.run_id,
    )


Sent = Callable[[], list[Message]]
"""Takes what was sent to the broker."""


def ask(session: Session, run_id: int = 4) -> Transfer:
    return request_upload(session, ArtifactKind.RUN_RESULTS, 12, run_id)


def swept(engine: Engine, broker: Valkey, by: RepublishPolicy | None = None) -> list[Message]:
    """What the dispatch sends to a broker that is there."""
    with producing_to(broker.url) as app:
        SqlTransfers(engine).publish_due(
            lambda transfers: publish(transfers, app),
            limit=100,
            room=ROOM,
            loss=by or loss(),
        )
    return sent_to(broker)


def count_rows(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(TransferRow)) or 0


@contextmanager
def producing_to(url: Broker | str) -> Iterator[Celery]:
    """A producer's app, whose connections are closed at the end."""
    app = producer_app(url, timeout_seconds=0.3)
    try:
        yield app
    finally:
        app.close()


@contextmanager
def black_hole() -> Iterator[tuple[str, list[socket.socket]]]:
    """The URL of a broker that takes connections and never answers, and those connections."""
    taken: list[socket.socket] = []

    def take_all() -> None:
        with suppress(OSError):
            while True:
                taken.append(server.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=take_all)
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.getsockname()[1]}/0", taken
        finally:
            # Closing alone would not wake the thread.
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in taken:
                connection.close()
