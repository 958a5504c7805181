"""Templates follow what changes an app's messages after the first one was sent."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery

from artifact_pipeline.tasks.app import broker_urls
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.tasks.uploads import upload_job_config
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.tasks.template_steps import by_celery, taken, transfer_of


def with_delivery_mode(app: Celery) -> None:
    app.conf.task_default_delivery_mode = 1
    _make_the_sender_again(app)


def with_delivery_mode_of_the_exchange(app: Celery) -> None:
    app.amqp.queues["configs"].exchange.delivery_mode = 1


def with_a_changed_route(app: Celery) -> None:
    app.conf.task_routes = copy.deepcopy(app.conf.task_routes)
    broker_urls(app)  # the settings are noted with this dictionary
    app.conf.task_routes["artifacts.*_job_config"]["priority"] = 3
    app.amqp.flush_routes()
    app.amqp.__dict__.pop("router", None)


def with_a_tasks_options(app: Celery) -> None:
    task: Any = app.tasks[upload_job_config.name]
    task._exec_options = {"priority": 6}


def with_another_protocol(app: Celery) -> None:
    app.conf.task_protocol = 1
    del app.amqp.__dict__["create_task_message"]


def _make_the_sender_again(app: Celery) -> None:
    # Celery reads some settings only when it makes its sender.
    del app.amqp.__dict__["send_task_message"]


CHANGES: dict[str, Callable[[Celery], None]] = {
    "delivery mode": with_delivery_mode,
    "delivery mode of the exchange": with_delivery_mode_of_the_exchange,
    "a key of a route": with_a_changed_route,
    "options of the task": with_a_tasks_options,
    "protocol": with_another_protocol,
}


def plain(found: dict[bytes, list[bytes]]) -> dict[bytes, list[Any]]:
    messages = {key: [json.loads(raw) for raw in raws] for key, raws in found.items()}
    for message in (message for each in messages.values() for message in each):
        del message["properties"]["delivery_tag"]
    return messages


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_after_the_first_message_is_followed(
    app: Celery, broker: Valkey, monkeypatch: pytest.MonkeyPatch, change: Callable[[Celery], None]
) -> None:
    # Given a template that has been used
    monkeypatch.setattr(app.tasks[upload_job_config.name], "_exec_options", None)
    publish([transfer_of()], app)
    before = plain(taken(broker))
    # When
    change(app)
    publish([transfer_of()], app)
    # Then the message is what Celery makes now, and another one than before
    found = plain(taken(broker))
    assert found == plain(by_celery(app, [transfer_of()], broker))
    assert found != before


def test_another_broker_is_published_to_at_once(app: Celery) -> None:
    # Given
    assert len(broker_urls(app)) == 1
    # When
    app.conf["broker_url"] = "redis://a:1/0;redis://b:1/0"
    # Then
    assert broker_urls(app) == ["redis://a:1/0", "redis://b:1/0"]


def test_a_publish_looks_no_settings_up_again(
    app: Celery, broker: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    publish([transfer_of()], app)
    looked_up: list[str] = []
    get = type(app.conf).__getitem__

    def note(conf: Any, name: str) -> Any:
        looked_up.append(name)
        return get(conf, name)

    monkeypatch.setattr(type(app.conf), "__getitem__", note)
    # When
    publish([transfer_of()], app)
    # Then only the pool of connections looks one up
    assert looked_up == ["broker_pool_acquire_timeout"]
    assert len(taken(broker)) == 1
