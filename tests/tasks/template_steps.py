"""Publishing messages by templates and by Celery, so that they can be compared."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from typing import Any
from unittest.mock import patch
from uuid import UUID

from celery import Celery

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.tasks.keys import wake_key
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.tasks.apply_async_options import NOW

_BY_TEMPLATE = "artifact_pipeline.tasks.publish.fill_and_send"


def transfer_of(
    direction: Direction = Direction.UPLOAD,
    kind: ArtifactKind = ArtifactKind.JOB_CONFIG,
    job_id: int = 12,
    *,
    batch_id: int | None = None,
    request_id: str = "user-42-0d6ae2ca-6b8c-4dcb-a4c0-3a56e1c9a1f0",
) -> Transfer:
    return Transfer(
        id=1,
        request_id=request_id,
        artifact=Artifact(kind, job_id, 4 if kind.belongs_to_run else None),
        direction=direction,
        state=TransferState.REQUESTED,
        requested_at=NOW,
        next_attempt_at=NOW,
        batch_id=batch_id,
    )


@contextmanager
def numbered_tags() -> Iterator[None]:
    """Give delivery tags by number, so that two publishes can be compared byte by byte."""
    tags = (str(UUID(int=number)) for number in count())
    by_celery = "kombu.transport.virtual.base.Channel._next_delivery_tag"
    by_template = "artifact_pipeline.tasks.message_templates.random_uuids"
    with (
        patch(by_celery, lambda _channel: next(tags)),
        patch(by_template, lambda number: islice(tags, number)),
    ):
        yield


def taken(broker: Valkey) -> dict[bytes, list[bytes]]:
    """Take every list of messages."""
    with broker.client() as client:
        lists = [key for key in client.scan_iter("*") if client.type(key) == b"list"]
        keys = [key for key in lists if not key.endswith(wake_key("").encode())]
        found = {key: client.lrange(key, 0, -1) for key in keys}
        client.flushall()
    return found


def by_celery(app: Celery, transfers: Sequence[Transfer], broker: Valkey) -> Any:
    """What Celery itself sends."""
    with numbered_tags(), patch(_BY_TEMPLATE, lambda *_: False):
        publish(transfers, app)
    return taken(broker)


def by_template(app: Celery, transfers: Sequence[Transfer], broker: Valkey) -> Any:
    """What is sent without Celery, once the templates are made."""
    publish(transfers, app)
    taken(broker)
    with numbered_tags(), forbidden(app):
        publish(transfers, app)
    return taken(broker)


@contextmanager
def forbidden(app: Celery) -> Iterator[None]:
    """Fail if Celery is to make a message."""

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError

    with patch.object(app, "send_task", fail):
        yield
