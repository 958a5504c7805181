"""The targets: a real receiver of webhooks, and a real broker."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_server
from typing import Any

import pytest

from artifact_pipeline import verify_webhook
from artifact_pipeline.domain.model.queued_events import (
    Answer,
    Delivered,
    NotDelivered,
    Refused,
)
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.worker.embedded.servers import Valkey, free_port
from artifact_pipeline.worker.events.task_target import TaskTarget
from artifact_pipeline.worker.events.webhook_target import WebhookTarget
from tests.deployments.tls import Authority
from tests.events.steps import EVENT, SECRET, queued
from tests.s3.recording_server import LOST, RecordingServer, Said, recording

pytestmark = pytest.mark.processes

SHORT = timedelta(seconds=0.3)
LONG = timedelta(seconds=20)
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def receiver() -> Iterator[RecordingServer]:
    with recording() as server:
        yield server


def deliver(url: str, timeout: timedelta = LONG) -> Answer:
    return WebhookTarget(url, [SECRET], timeout).deliver(queued(), datetime.now(UTC))


def test_the_receiver_can_verify_what_it_gets(receiver: RecordingServer) -> None:
    # When
    assert deliver(f"{receiver.url}/events?of=pipeline") == Delivered()
    # Then
    [request] = receiver.taken()
    assert (request.method, request.target) == ("POST", "/events?of=pipeline")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("artifact-pipeline/")
    assert verify_webhook(request.headers, request.body, SECRET) == EVENT
    assert json.loads(request.body) == EVENT.payload()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Delivered()),
        (202, Delivered()),
        (204, Delivered()),
        (400, NotDelivered(error="HTTP 400", retry_after=timedelta(0))),
        (401, NotDelivered(error="HTTP 401", retry_after=timedelta(0))),
        (404, NotDelivered(error="HTTP 404", retry_after=timedelta(0))),
        (410, Refused(error="HTTP 410")),
        (422, Refused(error="HTTP 422")),
        (500, NotDelivered(error="HTTP 500", retry_after=timedelta(0))),
    ],
)
def test_answers(receiver: RecordingServer, status: int, expected: Answer) -> None:
    receiver.answers.append(Said(status))
    assert deliver(receiver.url) == expected


def test_a_receiver_may_say_when_to_come_back(receiver: RecordingServer) -> None:
    receiver.answers.append(Said(503, {"Retry-After": "120"}))
    expected = NotDelivered(error="HTTP 503", retry_after=timedelta(minutes=2))
    assert deliver(receiver.url) == expected


def test_redirects_are_not_followed(receiver: RecordingServer) -> None:
    # Given a receiver that points to an address of the internal network
    with recording() as internal:
        receiver.answers.append(Said(307, {"Location": f"{internal.url}/metadata"}))
        # When / Then
        expected = NotDelivered(error="HTTP 307", retry_after=timedelta(0))
        assert deliver(receiver.url) == expected
        assert internal.seen == []


def test_one_connection_is_used_for_many_events(receiver: RecordingServer) -> None:
    target = WebhookTarget(receiver.url, [SECRET], LONG)
    answers = [target.deliver(queued(), datetime.now(UTC)) for _ in range(3)]
    assert answers == [Delivered()] * 3
    [pool] = [target._pool.pools[key] for key in target._pool.pools.keys()]  # noqa: SIM118 - it cannot be iterated
    assert pool.num_connections == 1


def test_a_lost_answer_is_no_delivery(receiver: RecordingServer) -> None:
    receiver.answers.append(LOST)
    assert deliver(receiver.url) == NotDelivered(error="no answer")


def test_nobody_listens() -> None:
    answer = deliver(f"http://127.0.0.1:{free_port()}/secret-path")
    assert answer == NotDelivered(error="no connection")


def test_a_receiver_that_does_not_answer_in_time() -> None:
    # Given a server that accepts, and says nothing
    with create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert deliver(url, SHORT) == NotDelivered(error="no answer in time")


def test_the_status_counts_though_the_body_never_ends() -> None:
    # Given a server that promises a body, and sends none
    with create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
                connection.recv(1)  # until the other side closes

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert deliver(url, SHORT) == Delivered()
        thread.join(timeout=30)
        assert not thread.is_alive()


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        return Authority(tmp_path, "authority")

    def test_a_certificate_of_a_known_authority_is_accepted(
        self, authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        certificate, key = authority.issue("receiver")
        with recording((str(certificate), str(key))) as server:
            assert deliver(f"https://127.0.0.1:{server.port}/") == Delivered()

    def test_any_other_certificate_is_refused(
        self, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given one of an unknown authority, and one of another host
        known = Authority(tmp_path, "known")
        monkeypatch.setenv("SSL_CERT_FILE", str(known.file))
        for issued in (authority.issue("unknown"), known.issue("other", "other.invalid")):
            with recording((str(issued[0]), str(issued[1]))) as server:
                # When
                answer = deliver(f"https://127.0.0.1:{server.port}/")
                # Then
                assert answer == NotDelivered(error="the certificate is not accepted")
                assert server.seen == []


class TestProxies:
    def test_the_proxy_of_the_environment_is_used(
        self, receiver: RecordingServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        url = receiver.url.replace("//", "//user:pass%20word@")
        monkeypatch.setenv("http_proxy", url)
        # When
        assert deliver("http://receiver.invalid/events") == Delivered()
        # Then
        [request] = receiver.taken()
        assert request.target == "http://receiver.invalid/events"
        assert request.headers["proxy-authorization"] == "Basic dXNlcjpwYXNzIHdvcmQ="

    def test_no_proxy_is_respected(
        self, receiver: RecordingServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert deliver(receiver.url) == Delivered()


class TestTask:
    def test_the_task_gets_the_event_as_its_argument(self, broker: Valkey) -> None:
        # Given
        app = make_app(broker.url)
        # When
        answer = TaskTarget(app, "platform.on_artifact", "events").deliver(
            queued(), datetime.now(UTC)
        )
        # Then
        assert answer == Delivered()
        with app.connection_for_read() as connection:
            channel: Any = connection.default_channel
            message = channel.basic_get("events", no_ack=True)
        assert message is not None
        assert message.headers["task"] == "platform.on_artifact"
        assert message.headers["id"] == EVENT.id
        assert message.payload[:2] == [[EVENT.payload()], {}]

    def test_a_broker_that_is_away_takes_nothing(self) -> None:
        app = make_app(f"redis://127.0.0.1:{free_port()}/0")
        app.conf.broker_transport_options = {
            **app.conf.broker_transport_options,
            "max_retries": 0,
        }
        answer = TaskTarget(app, "platform.on_artifact", "events").deliver(
            queued(), datetime.now(UTC)
        )
        assert answer == NotDelivered(error="the broker does not take the message")
