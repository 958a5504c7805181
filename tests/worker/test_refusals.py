"""Messages that Celery refuses after their requests were recorded."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import InvalidTaskError
from celery.signals import task_received, task_rejected, task_unknown
from celery.worker.consumer import Consumer as CeleryConsumer
from kombu import Connection
from kombu.exceptions import ContentDisallowed
from kombu.transport import redis
from sqlalchemy import Engine

from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.tasks import strategy
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.dead_letters import dead_letters
from artifact_pipeline.tasks.receipt import BareRequest, attach_receipt
from artifact_pipeline.tasks.uploads import upload_job_config
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.messages.receipt import Recorder
from artifact_pipeline.worker.messages.redis_channel import take_in_messages_only
from artifact_pipeline.worker.messages.refusals import keep_refusals
from artifact_pipeline.worker.sql.transfers.receipt import record_requests
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.contract.transfer_steps import loss
from tests.integration.envelopes import KNOWN, envelope
from tests.sql.producer import swept
from tests.worker.channel_steps import take

pytestmark = pytest.mark.processes

BODY = b'[[], {"job_id": 12}, {}]'


@pytest.fixture
def channel(broker: Valkey, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A worker's channel, which keeps what is refused."""
    monkeypatch.setattr(redis.Transport, "Channel", redis.Channel)  # put back afterwards
    for signal in (task_unknown, task_rejected, task_received):
        monkeypatch.setattr(signal, "receivers", [])
    take_in_messages_only()
    keep_refusals()
    with Connection(broker.url) as connection:
        yield connection.default_channel


class Main:
    """As much of a worker's main process as a message needs."""

    connection_errors = ()

    def __init__(self) -> None:
        self.hub = self
        self.controller = SimpleNamespace(state=SimpleNamespace(revoked=frozenset()))
        self.called: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.call_soon = self.called.put
        consumer: Any = self
        self.on_invalid_task = partial(CeleryConsumer.on_invalid_task, consumer)

    def goes_on(self) -> None:
        """Run what the recording thread has asked for."""
        self.called.get(timeout=10)()


@pytest.mark.parametrize("error", [InvalidTaskError("wrong"), ContentDisallowed("wrong")], ids=repr)
def test_a_message_refused_after_its_receipt_is_kept_and_its_transfer_is_done(
    broker: Valkey,
    channel: Any,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    # Given a worker whose Celery refuses a bare message once its request is recorded
    def refuse(*_: Any) -> None:
        raise error

    def write(requests: Sequence[BareRequest]) -> None:
        record_requests(engine, requests)

    monkeypatch.setattr(strategy, "default", lambda *_args, **_options: refuse)
    app, main, recorder = make_app(broker.url), Main(), Recorder(write)
    recorder.listens(main)
    attach_receipt(app, recorder)
    handle = strategy.refusing_malformed(upload_job_config, app, main)

    # When it receives one
    with broker.client() as client:
        client.lpush("configs", json.dumps(envelope(BODY, "an id")))
    handle(take(channel), None, None)
    main.goes_on()

    # Then operators see it among the refused messages, and no worker holds it
    [letter] = dead_letters(channel)
    assert (letter.reason, letter.task) == ("a malformed message", KNOWN)
    assert (letter.request_id, letter.job_id) == ("an id", 12)
    with broker.client() as client:
        assert not client.exists("configs", "unacked", "unacked_index")

    # And the dispatch sends its transfer, which is in SQL
    transfer = SqlTransfers(engine).of_request("an id", 12, Direction.UPLOAD)
    assert transfer is not None
    assert transfer.state is TransferState.REQUESTED
    assert [message.id for message in swept(engine, broker, loss())] == ["an id"]
