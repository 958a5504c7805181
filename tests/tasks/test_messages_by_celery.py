"""Where something may change or watch a message, Celery makes it, and no template is filled."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from celery import Celery, signals
from kombu import Exchange, Producer, Queue
from redis.client import Pipeline

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.tasks.testing import Asked, recorded_tasks
from artifact_pipeline.tasks.uploads import upload_job_config
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.tasks.template_steps import by_celery, taken, transfer_of


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


def test_a_tracer_that_wraps_redis_sees_the_commands(app: Celery, broker: Valkey) -> None:
    seen: list[list[str]] = []
    execute = Pipeline.execute

    def tracing(pipe: Any, *args: Any) -> Any:
        seen.append([command for (command, *_), _ in pipe.command_stack])
        return execute(pipe, *args)

    with patch.object(Pipeline, "execute", tracing):
        publish([transfer_of(), transfer_of()], app)
    assert seen == [["LPUSH", "LPUSH"]]
    assert sum(map(len, taken(broker).values())) == 2


def test_a_refused_push_leaves_no_answer_for_the_next(app: Celery, broker: Valkey) -> None:
    # Given: a list of that name cannot be made, and the other command of the push is carried out
    with broker.client() as client:
        client.set("configs", "no list")
        # When
        with pytest.raises(BrokerUnavailableError, match="WRONGTYPE"):
            publish([transfer_of()], app)
        client.delete("configs")
    # Then
    publish([transfer_of()], app)
    assert sum(map(len, taken(broker).values())) == 1


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
