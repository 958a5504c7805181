"""Messages from templates are those that Celery makes."""

import json
import os
from typing import Any

import pytest
from celery import Celery

from artifact_pipeline.domain.errors import BrokerUnavailableError
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks import bucket, downloads  # noqa: F401 - the tasks are registered
from artifact_pipeline.tasks.app import make_app, producer_app
from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.tasks.uploads import upload_job_config
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.tasks.template_steps import by_celery, by_template, forbidden, taken, transfer_of

pytestmark = pytest.mark.processes

PREFIX = "staging:"


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


def test_the_message_of_a_config_fits_into_a_kilobyte(app: Celery, broker: Valkey) -> None:
    # Given a request without a user in its id
    transfer = transfer_of(request_id="0d6ae2ca-6b8c-4dcb-a4c0-3a56e1c9a1f0")
    # Then
    [[message]] = by_template(app, [transfer], broker).values()
    assert len(message) <= 1024


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
        # And one more each, which wakes a worker
        assert client.info("commandstats")["cmdstat_lpush"]["calls"] == 3 + 3
    (messages,) = taken(broker).values()
    assert len(messages) == 2_501


def test_messages_keep_their_order(app: Celery, broker: Valkey) -> None:
    publish([transfer_of(job_id=number) for number in range(1, 11)], app)
    (newest_first,) = taken(broker).values()
    sent = [json.loads(message)["headers"]["kwargsrepr"] for message in reversed(newest_first)]
    assert sent == [f"{{'job_id': {number}}}" for number in range(1, 11)]


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
