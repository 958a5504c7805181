"""Every option of `apply_async` and `send_task`: a worker takes it, or the producer hears of it."""

import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from celery import Celery, Task, chain, chord, group
from kombu import Producer

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, Transfer, TransferState
from artifact_pipeline.tasks import bucket, downloads, upkeep  # noqa: F401 - the tasks are registered
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.tasks.message_body import LINKS
from artifact_pipeline.tasks.message_validation import rebuild_message
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.tasks.sendable import _PROTOCOL, CHECKED, IN_HEADERS, OF_SENDING
from artifact_pipeline.tasks.uploads import upload_job_config
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.tasks.apply_async_options import (
    IDS,
    NAME,
    NOW,
    REFUSED,
    TAKEN,
    Check,
    Message,
    Sent,
)


def names(table: Sequence[tuple[dict[str, Any], Any]]) -> list[str]:
    """Return a name for each row, without values: times differ between the processes of a run."""
    return [" ".join(given) or "none" for given, _ in table]


@pytest.fixture
def producer(broker: Valkey) -> Celery:
    return producer_app(broker.url)


def ways(producer: Celery, options: dict[str, Any]) -> Iterator[Callable[[], object]]:
    yield lambda: upload_job_config.apply_async((), IDS, **options)
    yield lambda: upload_job_config.s(**IDS).apply_async(**options)
    yield lambda: producer.send_task(NAME, kwargs=IDS, **options)


def taken(broker: Valkey) -> list[Message]:
    """What a worker makes of all that is in the queues."""
    with broker.client() as client:
        keys = [key for key in client.scan_iter("*") if client.type(key) == b"list"]
        found = [(key.decode(), element) for key in keys for element in client.lrange(key, 0, -1)]
    return [
        json.loads(rebuild_message(element, key.split("\x06")[0], "a")) for key, element in found
    ]


@pytest.mark.parametrize(("options", "is_right"), TAKEN, ids=names(TAKEN))
def test_a_worker_takes_it_as_it_was_meant(
    producer: Celery,
    broker: Valkey,
    options: dict[str, Any],
    is_right: Check,
) -> None:
    earliest = datetime.now(UTC)
    for send in ways(producer, options):
        send()
    latest = datetime.now(UTC)
    sent = [Sent(message, earliest, latest) for message in taken(broker)]
    assert len(sent) == 3
    assert all(map(is_right, sent)), sent


@pytest.mark.parametrize(("options", "said"), REFUSED, ids=names(REFUSED))
def test_the_producer_hears_of_what_a_worker_refuses_or_ignores(
    producer: Celery, broker: Valkey, options: dict[str, Any], said: str
) -> None:
    for send in ways(producer, options):
        with pytest.raises(InvalidRequestError) as refused:
            send()
        assert str(refused.value).startswith(said)
        assert "\n" not in str(refused.value)
    assert taken(broker) == []


def test_every_option_is_in_one_of_the_tables() -> None:
    # Given the options of Celery, and those that it hands on to kombu
    amqp: Any = Celery("any", set_as_current=False).amqp
    functions: list[Any] = [Task.apply_async, Celery.send_task, Producer.publish]
    functions += [amqp.as_task_v2, amqp.send_task_message]
    options = {
        name
        for function in functions
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    }
    arguments = {"self", "name", "args", "kwargs", "body", "now", "timezone", "create_sent_event"}
    arguments |= {"message"}
    # callbacks and errbacks are what Celery makes of the links
    made_by_celery = {"callbacks", "errbacks", "content_encoding"}
    # Then
    shown = {name for table in (TAKEN, REFUSED) for given, _ in table for name in given}
    assert options - arguments - made_by_celery - shown - OF_SENDING == set()
    assert shown | OF_SENDING >= CHECKED | set(IN_HEADERS)


def test_every_header_of_celery_s_is_an_option() -> None:
    app = Celery("any", set_as_current=False)
    made = app.amqp.as_task_v2("id", "name", (), {})
    assert set(made.headers) | LINKS | {"compression"} == _PROTOCOL


@pytest.mark.parametrize("positional", [(1e30,), (None, "tomorrow")])
def test_options_may_be_given_by_position(producer: Celery, positional: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidRequestError):
        producer.send_task(NAME, (), IDS, *positional)


@pytest.mark.parametrize(
    ("args", "kwargs"), [("12", None), (5, None), ({12}, None), (None, [12]), (None, {5: 12})]
)
def test_arguments_of_another_shape(producer: Celery, args: Any, kwargs: Any) -> None:
    with pytest.raises(InvalidRequestError):
        upload_job_config.apply_async(args, kwargs)
    with pytest.raises(InvalidRequestError):
        producer.send_task(NAME, args, kwargs)


def test_a_group_is_taken_and_other_canvases_are_refused(producer: Celery, broker: Valkey) -> None:
    first, second = upload_job_config.si(12), upload_job_config.si(13)
    for canvas in (chain(first, second), first | second):
        with pytest.raises(InvalidRequestError):
            canvas.apply_async()
    with pytest.raises(NotImplementedError, match="requires a result backend"):
        chord([first, second], second).apply_async()  # refused by Celery itself
    for name in ("map", "starmap", "chunks"):
        with pytest.raises(InvalidRequestError, match="send a message for each artifact"):
            getattr(upload_job_config, name)([12, 13])
    with pytest.raises(InvalidRequestError, match="workers refuse Celery's own tasks"):
        producer.send_task("celery.map", ({"task": NAME}, [12, 13]))
    with broker.client() as client:
        client.flushall()
    group(first, second, app=producer).apply_async()
    messages = taken(broker)
    assert len({message["headers"]["group"] for message in messages}) == 1
    assert len(messages) == 2


@pytest.mark.parametrize("request_id", ["https://host/x", "a\nb", "token:abcdef", "x" * 255])
def test_an_odd_id_of_a_row_stops_no_dispatch(
    producer: Celery, broker: Valkey, request_id: str
) -> None:
    # Given a row that another program wrote
    odd, plain = (
        Transfer(
            id=number,
            request_id=each,
            artifact=Artifact(ArtifactKind.JOB_CONFIG, number),
            direction=Direction.UPLOAD,
            state=TransferState.WAITING,
            requested_at=NOW,
            next_attempt_at=NOW,
        )
        for number, each in ((12, request_id), (13, "an id"))
    )
    # When
    publish([odd, plain], producer)
    # Then a worker takes both
    assert len(taken(broker)) == 2
