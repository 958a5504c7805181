"""What a worker's main process learns of uploads that its other processes do."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue
from kombu.transport import redis

from artifact_pipeline.domain.errors import SourceMissingError, StoreUnavailableError
from artifact_pipeline.domain.fakes import InMemoryArtifacts, InMemoryTransfers
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState, TransferSummary
from artifact_pipeline.domain.ports.transfer_pages import ClaimedUpload
from artifact_pipeline.domain.transfers.page_watch import UploadEnd
from artifact_pipeline.worker.embedded.servers import Valkey
from artifact_pipeline.worker.messages import handled_uploads
from artifact_pipeline.worker.messages.handled_uploads import HandledUploads
from artifact_pipeline.worker.messages.page_events import _send
from artifact_pipeline.worker.messages.redis_channel import take_in_messages_only
from tests.integration.fuzzing import envelope

CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
TASK = "artifacts.upload_job_config"
BODY = b'[[], {"job_id": 12}, {}]'
DONE = TransferSummary(state=TransferState.DONE, size=13, seconds=0.25)


@pytest.fixture
def handled() -> Iterator[HandledUploads]:
    with closing(HandledUploads()) as handled:
        yield handled


def claimed(request_id: str) -> ClaimedUpload:
    transfers = InMemoryTransfers(InMemoryArtifacts())
    lease = timedelta(minutes=1)
    claim = transfers.claim(CONFIG, Direction.UPLOAD, request_id, owner="worker-1", lease=lease)
    assert claim is not None
    return ClaimedUpload(claim=claim, request_id=request_id, job=None, run=None, stored=None)


def ended(request_id: str, result: TransferSummary | Exception = DONE) -> UploadEnd:
    return UploadEnd(request_id=request_id, artifact=CONFIG, seconds=0.25, result=result)


def message(request_id: str, **headers: object) -> bytes:
    made = envelope(BODY, request_id)
    made["headers"].update(headers)
    return json.dumps(made).encode()


def test_the_message_of_an_upload_that_is_done_has_nothing_to_do(handled: HandledUploads) -> None:
    handled.ended([ended("a")])
    assert handled.is_handled(message("a"))
    assert not handled.is_handled(message("b"))


@pytest.mark.parametrize(
    "result",
    [
        SourceMissingError("there is no file"),
        StoreUnavailableError("503"),
        TransferSummary(state=TransferState.CANCELLED),
        TransferSummary(state=TransferState.RUNNING),
    ],
    ids=["quarantined", "to be tried again", "cancelled", "taken over"],
)
def test_a_message_counts_unless_its_upload_is_done(
    handled: HandledUploads, result: TransferSummary | Exception
) -> None:
    handled.claimed([claimed("a")])
    handled.ended([ended("a", result)])
    assert not handled.is_handled(message("a"))


def test_the_message_of_an_upload_under_way_has_nothing_to_do(handled: HandledUploads) -> None:
    handled.claimed([claimed("a"), claimed("b")])
    assert handled.is_handled(message("a"))
    assert handled.is_handled(message("b"))


def test_a_message_counts_again_once_its_upload_is_released(handled: HandledUploads) -> None:
    handled.claimed([claimed("a"), claimed("b")])
    handled.releasing([claimed("a")])
    assert not handled.is_handled(message("a"))
    assert handled.is_handled(message("b"))


def test_a_claim_is_forgotten_before_its_lease_can_expire(
    handled: HandledUploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the uploads of a child that was killed
    handled.claimed([claimed("a"), claimed("b")])
    assert handled.is_handled(message("a"))
    # When
    later = time.monotonic() + handled_uploads.IN_HAND_SECONDS
    monkeypatch.setattr(handled_uploads, "monotonic", lambda: later)
    # Then
    assert not handled.is_handled(message("a"))
    # And nothing is left of them after the next claim
    handled.claimed([claimed("c")])
    assert handled.is_handled(message("c"))
    assert list(handled._in_hand) == ["c"]


def test_a_release_waits_for_the_main_process(handled: HandledUploads) -> None:
    # Given a main process that has not read for long
    handled.claimed([claimed("a")])
    while handled._send(b"[]"):
        """Fill the socket."""
    with ThreadPoolExecutor() as pool:
        # When
        released = pool.submit(handled.releasing, [claimed("a")])
        while not released.done():
            handled.read()
        handled.read()
    # Then
    assert not handled.is_handled(message("a"))


def test_a_full_socket_holds_up_no_upload(handled: HandledUploads) -> None:
    while handled._send(b"[]"):
        """Fill the socket."""
    handled.ended([ended("a")])
    assert not handled.is_handled(message("a"))


def test_many_uploads_are_told_of_however_long_their_ids_are(handled: HandledUploads) -> None:
    ids = [f"{number:0255}" for number in range(1_000)]
    for start in range(0, len(ids), 100):
        handled.ended([ended(request_id) for request_id in ids[start : start + 100]])
        handled.read()
    assert all(handled.is_handled(message(request_id)) for request_id in ids)


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handled_uploads, "_REMEMBERED", 2)
    with closing(HandledUploads()) as handled:
        for request_id in ("a", "b", "c"):
            handled.ended([ended(request_id)])
        known = [handled.is_handled(message(request_id)) for request_id in ("a", "b", "c")]
    assert known == [False, True, True]


@pytest.mark.parametrize(
    "element",
    [
        message("b", task="artifacts.download_job_config", id="a"),
        message("b", parent_id="a"),
        message("b", argsrepr='("id": "a")'),
        message("b", extra={"id": "a"}),
        b'{"id": "a"',
        b'{"id": "a", "headers": null}',
        b'{"headers": {"task": "%s", "id": ["a"]}, "id": "a"}' % TASK.encode(),
        b'["id", {"id": "a"}]',
        message("a") + b" " * 2**14,
    ],
    ids=range(9),
)
def test_only_the_uploads_own_messages_are_dropped(handled: HandledUploads, element: bytes) -> None:
    handled.ended([ended("a")])
    assert not handled.is_handled(element)


@pytest.fixture
def consumer(
    broker: Valkey, handled: HandledUploads, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connection]:
    monkeypatch.setattr(redis.Transport, "Channel", redis.Channel)  # put back afterwards
    take_in_messages_only(is_handled=handled.is_handled)
    with Connection(broker.url) as connection:
        yield connection


def received(consumer: Connection, last: str) -> list[str]:
    """Consume until the message of this id came, and acknowledge; return the ids."""
    taken: list[str] = []

    def take(_body: Any, got: Any) -> None:
        taken.append(got.headers["id"])
        got.ack()

    with Consumer(consumer, [Queue("configs")]) as receiving:
        receiving.register_callback(take)
        while last not in taken:
            consumer.drain_events(timeout=10)
    return taken


def left(broker: Valkey) -> set[str]:
    """Return which keys have messages or notes of them."""
    with broker.client() as client:
        names = {name.decode() for name in client.keys("*")}
    return {
        name for name in names if name.endswith(("configs", "unacked", "unacked_index", "taken"))
    }


def calls(broker: Valkey, command: str) -> int:
    """Return how often the broker was asked for this command, by clients and scripts."""
    with broker.client() as client:
        stats: Any = client.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


def test_a_dropped_message_is_acknowledged(
    broker: Valkey, consumer: Connection, handled: HandledUploads
) -> None:
    # Given the messages of uploads that are done, and one of another
    handled.ended([ended("a"), ended("b")])
    with broker.client() as client:
        client.lpush("configs", message("a"), message("b"), message("c"))
    # When / Then
    assert received(consumer, "c") == ["c"]
    assert left(broker) == set()


def test_the_messages_of_a_page_are_dropped_together(
    broker: Valkey, consumer: Connection, handled: HandledUploads
) -> None:
    # Given the messages of a page, with those of others before, among and behind them
    page = [f"page-{number}" for number in range(30)]
    handled.ended([ended(each) for each in page])
    queued = ["first", *page[:10], "second", *page[10:], "page-0", "third"]
    with broker.client() as client:
        client.lpush("configs", *map(message, queued))
    before = calls(broker, "eval")
    # When
    taken = received(consumer, "third")
    # Then each of the others is received once, in order
    assert taken == ["first", "second", "third"]
    # And it takes: four messages that are taken, two looks ahead, and the notes of three
    assert calls(broker, "eval") - before == 4 + 2 + 3
    assert left(broker) == set()


def test_a_user_who_may_not_look_ahead_takes_each_message(
    broker: Valkey, consumer: Connection, handled: HandledUploads
) -> None:
    # Given
    handled.ended([ended("a"), ended("b")])
    with broker.client() as client:
        client.lpush("configs", message("a"), message("b"), message("c"))
        client.execute_command("ACL SETUSER default -lrange")
        # When
        try:
            taken = received(consumer, "c")
        finally:
            client.execute_command("ACL SETUSER default +@all")
    # Then
    assert taken == ["c"]
    assert left(broker) == set()


def test_messages_below_a_prefix_are_dropped_too(
    broker: Valkey, consumer: Connection, handled: HandledUploads
) -> None:
    # Given
    handled.ended([ended("a"), ended("b"), ended("c")])
    with broker.client() as client:
        client.lpush("mine:configs", *map(message, "abcd"))
        client.lpush("configs", message("b"))  # somebody else's
    consumer.transport_options = {"global_keyprefix": "mine:"}
    # When / Then
    assert received(consumer, "d") == ["d"]
    assert left(broker) == {"configs"}


class Dispatcher:
    """Celery's, as far as events are sent by it."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def send(self, kind: str, **fields: Any) -> None:
        self.sent.append((kind, fields))


class EventConsumer:
    def __init__(self) -> None:
        self.event_dispatcher = Dispatcher()


def events_of(handled: HandledUploads) -> list[tuple[str, dict[str, Any]]]:
    consumer = EventConsumer()
    handled.read()
    _send(consumer, handled)
    return consumer.event_dispatcher.sent


def test_flower_sees_each_upload_as_a_task(
    handled: HandledUploads, caplog: pytest.LogCaptureFixture
) -> None:
    # When
    with caplog.at_level("INFO"):
        handled.ended([ended("a"), ended("b", SourceMissingError("there is no file"))])
    sent = events_of(handled)
    # Then each is received, started, and ends as its task would have
    assert [(kind, fields["uuid"]) for kind, fields in sent] == [
        *(("task-received", "a"), ("task-started", "a"), ("task-succeeded", "a")),
        *(("task-received", "b"), ("task-started", "b"), ("task-failed", "b")),
    ]
    received, _, succeeded, *_, failed = [fields for _, fields in sent]
    assert (received["name"], received["kwargs"]) == (TASK, "{'job_id': 12}")
    assert succeeded["result"] == "{'state': 'done', 'size': 13, 'seconds': 0.25}"
    assert failed["exception"] == "SourceMissingError('source_missing: there is no file')"
    # And the log has its id
    assert f"Task {TASK}[a] succeeded in 0.25s: {{'state': 'done'" in caplog.text
    assert f"Task {TASK}[b] failed: SourceMissingError" in caplog.text


def test_an_upload_that_waits_for_its_next_attempt_shows_as_retried(
    handled: HandledUploads,
) -> None:
    handled.ended([ended("a", StoreUnavailableError("https://key:secret@s3/ 503"))])
    kind, fields = events_of(handled)[-1]
    assert kind == "task-retried"
    assert "secret" not in fields["exception"]


def test_events_are_sent_once_each(handled: HandledUploads) -> None:
    # Given news that is read by a look at a message
    told: list[str] = []
    handled.listen(lambda: told.append("news"))
    handled.ended([ended("a")])
    # When
    handled.is_handled(message("b"))
    # Then
    assert told == ["news"]
    assert len(events_of(handled)) == 3
    assert events_of(handled) == []
