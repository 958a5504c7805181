"""Producer and worker agree: what is not refused here, a worker takes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.tasks import bucket, downloads, upkeep, uploads  # noqa: F401 - the tasks are registered
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.message_validation import rebuild_message
from artifact_pipeline.tasks.sendable import _ARGUMENTS
from artifact_pipeline.tasks.uploads import upload_job_config
from artifact_pipeline.worker.embedded.servers import Valkey

pytestmark = pytest.mark.processes

NAME = upload_job_config.name
IDS = {"job_id": 12}
TAKEN: list[dict[str, Any]] = [
    {},
    {"task_id": "x" * 40},
    {"priority": 5},
    {"priority": -1},
    {"compression": "gzip"},
    {"compression": "zlib"},
    {"eta": datetime.now(UTC) + timedelta(hours=9)},
    {"countdown": 3600},
    {"expires": 60},
    {"expires": datetime.now(UTC) + timedelta(hours=1)},
    {"headers": {"traceparent": "anything", "own": 5}},
]
REFUSED: list[dict[str, Any]] = [
    # A worker would replace it.
    {"task_id": "token:5"},
    # A worker would ignore them.
    {"link": upload_job_config.s(13), "link_error": upload_job_config.si(13)},
    {"shadow": "another name"},
    {"task_id": "a\nb"},
    {"task_id": "https://user:secret@host"},
    {"task_id": "x" * 256},
    {"task_id": 5},
    {"priority": "high"},
    {"priority": 1.5},
    {"compression": "bzip2"},
    {"serializer": "pickle"},
    {"serializer": "yaml"},
    {"countdown": 30 * 24 * 3600},
    {"eta": datetime.now(UTC) + timedelta(days=30)},
    {"headers": {"task": "celery.map"}},
    {"headers": {"retries": "x"}},
]


@pytest.fixture
def producer(broker: Valkey) -> Celery:
    return producer_app(broker.url)


@pytest.mark.parametrize("options", TAKEN, ids=" ".join)
def test_what_is_sent_is_taken(producer: Celery, broker: Valkey, options: dict[str, Any]) -> None:
    # When a message is sent in either way
    upload_job_config.apply_async((), IDS, **options)
    producer.send_task(NAME, kwargs=IDS, queue="configs", **options)
    # Then a worker takes both
    with broker.client() as client:
        keys = list(client.scan_iter("configs*"))
        elements = [element for key in keys for element in client.lrange(key, 0, -1)]
    assert len(elements) == 2
    for element in elements:
        rebuild_message(element, "configs", "a tag")


@pytest.mark.parametrize("options", REFUSED, ids=" ".join)
def test_what_a_worker_would_refuse_is_not_sent(
    producer: Celery, broker: Valkey, options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequestError):
        upload_job_config.apply_async((), IDS, **options)
    with pytest.raises(InvalidRequestError):
        producer.send_task(NAME, kwargs=IDS, **options)
    with broker.client() as client:
        assert list(client.scan_iter("configs*")) == []


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [(NAME, {"job_id": "12"}), (NAME, {}), ("artifacts.upload_job_confg", IDS)],
)
def test_wrong_names_and_ids_are_not_sent(
    producer: Celery, name: str, kwargs: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequestError):
        producer.send_task(name, kwargs=kwargs)


def test_every_task_is_known(producer: Celery) -> None:
    tasks: dict[str, Any] = dict(producer.tasks)
    ours = {name: task for name, task in tasks.items() if name.startswith("artifacts.")}
    assert {name: task.arguments for name, task in ours.items()} == dict(_ARGUMENTS)


def test_a_killed_child_s_message_is_tried_again_without_end(producer: Celery) -> None:
    ours = [task for name, task in producer.tasks.items() if name.startswith("artifacts.")]
    assert {task.max_retries for task in ours} == {None}
