"""Messages from templates are those that Celery makes; where Celery must make them, it does."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from celery import Celery, signals
from kombu import Exchange, Producer, Queue

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.tasks import bucket, downloads  # noqa: F401 - the tasks are registered
from artifact_pipeline.tasks.app import make_app, producer_app
from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.tasks.testing import Asked, recorded_tasks
from artifact_pipeline.tasks.uploads import upload_job_config
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.tasks.apply_async_options import NOW

PREFIX = "staging:"
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


@pytest.fixture
def app(broker: Valkey) -> Iterator[Celery]:
    with producer_app(broker.url) as app:
        yield app


@contextmanager
def numbered_tags() -> Iterator[None]:
    """Give delivery tags by number, so that two publishes can be compared byte by byte."""
    numbers = count()
    name = "kombu.transport.virtual.base.Channel._next_delivery_tag"
    with patch(name, lambda _channel: str(UUID(int=next(numbers)))):
        yield


def taken(broker: Valkey) -> dict[bytes, list[bytes]]:
    """Take every list of messages."""
    with broker.client() as client:
        keys = [key for key in client.scan_iter("*") if client.type(key) == b"list"]
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


@pytest.mark.parametrize("batch_id", [None, 7], ids=["alone", "of a batch"])
def test_every_message_is_celerys_to_the_byte(
    app: Celery, broker: Valkey, batch_id: int | None
) -> None:
    transfers = [
        transfer_of(direction, kind, job_id, batch_id=batch_id)
        for direction in Direction
        for kind in ArtifactKind
        for job_id in (1, 12, 2**31 - 1)
    ]
    expected = by_celery(app, transfers, broker)
    assert by_template(app, transfers, broker) == expected
    assert sum(map(len, expected.values())) == len(transfers)


def test_a_message_in_a_workers_task_is_celerys_to_the_byte(app: Celery, broker: Valkey) -> None:
    # Given what runs as the dispatch does, so that its messages name it as their parent
    sent = []

    @app.task(shared=False)
    def dispatch() -> None:
        for publish_by in (by_celery, by_template):
            sent.append(publish_by(app, [transfer_of()], broker))  # noqa: PERF401 - reads worse

    dispatch.apply(task_id="the-parent")
    # Then
    expected, found = sent
    assert found == expected
    assert json.loads(found[b"configs"][0])["headers"]["parent_id"] == "the-parent"


def test_a_message_of_a_prefix_is_celerys_to_the_byte(broker: Valkey) -> None:
    with make_app(Broker(url=broker.url, prefix=PREFIX)) as app:
        expected = by_celery(app, [transfer_of()], broker)
        assert by_template(app, [transfer_of()], broker) == expected
    assert list(expected) == [b"staging:configs"]


@pytest.mark.parametrize("priority", [0, 3, 9])
def test_a_tasks_priority_chooses_the_list(
    app: Celery, broker: Valkey, monkeypatch: pytest.MonkeyPatch, priority: int
) -> None:
    # Given
    task: Any = app.tasks[upload_job_config.name]
    monkeypatch.setattr(task, "priority", priority)
    monkeypatch.setattr(task, "_exec_options", None)
    # When
    expected = by_celery(app, [transfer_of()], broker)
    # Then
    assert by_template(app, [transfer_of()], broker) == expected
    # And kombu has lists for some priorities, and puts the others into the nearest one below
    is_first = list(expected) == [b"configs"]
    assert is_first == (priority == 0)


def test_a_template_is_of_one_process(
    app: Celery, broker: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish([transfer_of()], app)
    monkeypatch.setattr(os, "getpid", lambda: 4_000_001)
    monkeypatch.setattr("artifact_pipeline.tasks.message_templates.getpid", os.getpid)
    taken(broker)
    publish([transfer_of()], app)
    ((message,),) = taken(broker).values()
    assert json.loads(message)["headers"]["origin"].startswith("gen4000001@")


def test_the_queue_is_bound_on_each_new_connection(broker: Valkey) -> None:
    # Given two URLs, for which every publish connects
    with producer_app(f"{broker.url};{broker.url}") as app:
        publish([transfer_of()], app)
        taken(broker)
        # When
        with forbidden(app):
            publish([transfer_of()], app)
    # Then
    with broker.client() as client:
        assert client.exists("_kombu.binding.configs")


def test_many_messages_are_one_command_for_each_thousand(app: Celery, broker: Valkey) -> None:
    publish([transfer_of()], app)
    with broker.client() as client:
        client.config_resetstat()
        publish([transfer_of(job_id=number) for number in range(1, 2_501)], app)
        assert client.info("commandstats")["cmdstat_lpush"]["calls"] == 3
    (messages,) = taken(broker).values()
    assert len(messages) == 2_501


def test_messages_keep_their_order(app: Celery, broker: Valkey) -> None:
    publish([transfer_of(job_id=number) for number in range(1, 11)], app)
    (newest_first,) = taken(broker).values()
    sent = [json.loads(message)["headers"]["kwargsrepr"] for message in reversed(newest_first)]
    assert sent == [f"{{'job_id': {number}}}" for number in range(1, 11)]


def listening(app: Celery) -> None:
    del app
    signals.before_task_publish.connect(add_a_header, weak=False)


def add_a_header(headers: dict[str, Any], **_: Any) -> None:
    headers["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def routed(app: Celery) -> None:
    app.conf.task_routes = {"artifacts.*": {"priority": 3}}


def packed(app: Celery) -> None:
    app.conf.task_compression = "gzip"


def sent_events(app: Celery) -> None:
    app.conf.task_send_sent_event = True


def expiring(app: Celery) -> None:
    configs = Queue("configs", Exchange("configs"), routing_key="configs", expires=600)
    app.conf.task_queues = [configs]


CHANGES: dict[str, Callable[[Celery], None]] = {
    "a signal is connected": listening,
    "other routes": routed,
    "compression": packed,
    "events of sent tasks": sent_events,
    "a queue that expires": expiring,
}


def without_tags(taken: dict[bytes, list[bytes]]) -> dict[bytes, list[Any]]:
    found = {key: [json.loads(message) for message in messages] for key, messages in taken.items()}
    for message in (message for messages in found.values() for message in messages):
        del message["properties"]["delivery_tag"]
    return found


@pytest.fixture
def _no_signals() -> Iterator[None]:
    yield
    signals.before_task_publish.disconnect(add_a_header)


@pytest.mark.usefixtures("_no_signals")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_messages_has_celery_make_them(
    app: Celery, broker: Valkey, change: Callable[[Celery], None]
) -> None:
    change(app)
    expected = by_celery(app, [transfer_of()] * 2, broker)
    with patch("artifact_pipeline.tasks.message_templates.push", None):
        publish([transfer_of()] * 2, app)
    assert without_tags(taken(broker)) == without_tags(expected)


@pytest.mark.usefixtures("_no_signals")
def test_a_signal_that_is_connected_later_hears_of_each_message(
    app: Celery, broker: Valkey
) -> None:
    publish([transfer_of()], app)
    taken(broker)
    listening(app)
    publish([transfer_of(), transfer_of()], app)
    (messages,) = taken(broker).values()
    assert len(messages) == 2
    assert all(b"traceparent" in message for message in messages)


@pytest.mark.parametrize(
    ("owner", "name"), [(Celery, "send_task"), (Producer, "publish")], ids=["Celery", "kombu"]
)
def test_a_tracer_that_wraps_them_sees_each_message(
    app: Celery, broker: Valkey, owner: Any, name: str
) -> None:
    seen, wrapped = [], getattr(owner, name)

    def tracing(*args: Any, **options: Any) -> Any:
        seen.append(name)
        return wrapped(*args, **options)

    with patch.object(owner, name, tracing):
        publish([transfer_of(), transfer_of()], app)
    assert len(seen) == 2
    assert sum(map(len, taken(broker).values())) == 2


def test_a_foreign_app_sends_by_itself(broker: Valkey) -> None:
    with Celery("platform", broker=broker.url, set_as_current=False) as foreign:
        publish([transfer_of()], foreign)
    ((message,),) = taken(broker).values()
    assert json.loads(message)["headers"]["task"] == upload_job_config.name


def test_an_odd_id_has_celery_make_the_message(app: Celery, broker: Valkey) -> None:
    publish([transfer_of(), transfer_of(request_id='an "odd" id%s')], app)
    (messages,) = taken(broker).values()
    ids = {json.loads(message)["headers"]["id"] for message in messages}
    assert ids == {transfer_of().request_id, 'an "odd" id%s'}


def test_recorded_tasks_notes_them() -> None:
    with recorded_tasks() as asked:
        publish([transfer_of()])
    assert asked == [Asked(upload_job_config.name, {"job_id": 12})]


def test_another_transport_is_left_to_kombu() -> None:
    with make_app("memory://") as app:
        publish([transfer_of()], app)
        with app.connection_for_write() as connection:
            channel: Any = connection.default_channel
            assert channel._size("configs") == 1


@pytest.mark.parametrize("kinds", [1, 5], ids=["one queue", "two queues"])
def test_a_full_brokers_refusal_is_told_as_ever(app: Celery, broker: Valkey, kinds: int) -> None:
    # Given
    transfers = [transfer_of(kind=kind) for kind in list(ArtifactKind)[:kinds]]
    publish(transfers, app)
    with broker.client() as client:
        client.config_set("maxmemory", 1)
        # When
        try:
            with pytest.raises(BrokerUnavailableError, match="maxmemory") as refused:
                publish(transfers, app)
        finally:
            client.config_set("maxmemory", 0)
    # Then it does not quote the message
    assert "job_id" not in str(refused.value)
