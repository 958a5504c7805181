"""Several broker URLs, `a;b`, for every process: the first is down, or no longer takes writes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from kombu import Connection
from kombu.transport import redis

from artifact_pipeline.domain.errors import (
    BrokerRefusedError,
    BrokerUnavailableError,
    ConfigurationError,
)
from artifact_pipeline.tasks.app import make_app, producer_app
from artifact_pipeline.tasks.publish import ask_for_dispatch
from artifact_pipeline.tasks.routing import UPKEEP
from artifact_pipeline.worker.dev.stack import FLOWER_CONFIG
from artifact_pipeline.worker.diagnosis.broker import examine_broker, fail_fast_app, reach_broker
from artifact_pipeline.worker.diagnosis.consumers import read_broker
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.servers import accepts, kept_port
from artifact_pipeline.worker.messages.redis_channel import take_in_messages_only
from artifact_pipeline.worker.messages.refused_writes import retry_when_refused
from artifact_pipeline.worker.settings import BrokerSettings, load
from tests import preloaded
from tests.cli.commands import bare_environment
from tests.deployments.redis_server import RedisServer
from tests.image import ROOT

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("first")) as server:
        yield server


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("second")) as server:
        yield server


@pytest.fixture(params=["down", "a read-only replica"])
def urls(request: pytest.FixtureRequest, first: RedisServer, second: RedisServer) -> Iterator[str]:
    """Two URLs, of which the second can be used."""
    if request.param == "down":
        yield f"redis://127.0.0.1:{kept_port(urls)}/0;{second.url}"
        return
    with replica(first):
        yield f"{first.url};{second.url}"


@contextmanager
def replica(server: RedisServer) -> Iterator[None]:
    """Make the server a replica of nothing."""
    with server.client() as client:
        client.replicaof("127.0.0.1", str(kept_port(replica)))
        try:
            yield
        finally:
            client.replicaof("NO", "ONE")


@pytest.fixture(autouse=True)
def _no_producer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artifact_pipeline.tasks.app._producer", None)


def depth(server: RedisServer) -> int:
    with server.client() as client:
        found: Any = client.llen(UPKEEP)
        client.delete(UPKEEP)
    return int(found)


def test_a_producer_sends_to_the_second(urls: str, second: RedisServer) -> None:
    ask_for_dispatch(producer_app(urls))
    assert depth(second) == 1


def test_a_producer_that_has_sent_to_the_first_goes_on(
    first: RedisServer, second: RedisServer
) -> None:
    # Given
    app = producer_app(f"{first.url};{second.url}")
    ask_for_dispatch(app)
    assert depth(first) == 1
    with replica(first):
        # When the first has become a replica
        ask_for_dispatch(app)
    # Then
    assert depth(second) == 1


def test_health_status_and_doctor_ask_the_second(urls: str) -> None:
    # Given
    app = fail_fast_app(urls)
    # When / Then
    reach_broker(app)
    assert read_broker(app).messages[UPKEEP] == 0
    errors = [each for each in examine_broker(app) if each.severity is Severity.ERROR]
    assert errors == []


def test_a_command_asks_the_second(urls: str) -> None:
    # When
    environment = {**bare_environment(), "ARTIFACTS_BROKER_URL": urls}
    ended = preloaded.run_command(["health", "ready", "--only", "broker"], environment)
    # Then
    assert ended.out == "broker answers\n", ended.err


def test_a_worker_connects_to_the_second(
    urls: str, second: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the channels and the errors of a worker
    monkeypatch.setattr(redis.Transport, "Channel", redis.Channel)  # put back afterwards
    monkeypatch.setattr(redis.Transport, "connection_errors", redis.Transport.connection_errors)
    take_in_messages_only()
    retry_when_refused()
    # When
    with Connection(urls) as connection:
        connection.ensure_connection(max_retries=1)
        # Then
        assert connection.port == second.port


def test_flower_counts_the_messages_of_the_second(
    urls: str, second: RedisServer, tmp_path: Path
) -> None:
    # Given messages in the broker that is in use
    ask_for_dispatch(producer_app(urls))
    port = kept_port(test_flower_counts_the_messages_of_the_second)
    flower = ManagedProcess(
        "flower",
        *([sys.executable, *["-m", "celery", "-A", "artifact_pipeline.worker.control", "flower"]],),
        env={
            **bare_environment(),
            "ARTIFACTS_BROKER_URL": urls,
            "FLOWER_BASIC_AUTH": "me:secret",
            "FLOWER_PORT": str(port),
            "PYTHONPATH": str(ROOT),
        },
        log=tmp_path / "flower.log",
    )
    flower._argv.append(f"--conf={FLOWER_CONFIG}")
    with flower:
        flower.wait_until(lambda: accepts(port), seconds=60)
        # When
        answer = requests.get(
            f"http://me:secret@127.0.0.1:{port}/api/queues/length", timeout=30
        ).json()
    # Then
    lengths = {queue["name"]: queue["messages"] for queue in answer["active_queues"]}
    assert lengths[UPKEEP] == depth(second) == 1


def test_each_url_is_tried_once_and_the_one_in_use_first(
    urls: str, second: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker's app
    app = make_app(urls)
    tried: list[int | None] = []
    connect = Connection._establish_connection

    def noted(connection: Connection) -> Any:
        tried.append(connection.port)
        return connect(connection)

    monkeypatch.setattr(Connection, "_establish_connection", noted)
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda _seconds: pytest.fail("waited"))
    # When
    ask_for_dispatch(app)
    ask_for_dispatch(app)
    # Then the first, which cannot be used, has one try in all
    first = Connection(urls.partition(";")[0]).port
    assert tried == [first, second.port, second.port]
    assert depth(second) == 2


def test_a_refusal_is_named_whichever_url_it_is_of(
    second: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    refusing = second.url_of("nobody:wrong@")
    away = f"redis://127.0.0.1:{kept_port(test_a_refusal_is_named_whichever_url_it_is_of)}/0"
    # When no other URL can be used / Then
    with pytest.raises(BrokerRefusedError, match=r"^ARTIFACTS_BROKER_URL: "):
        ask_for_dispatch(producer_app(f"{refusing};{away}", timeout_seconds=10))
    # When another can be / Then
    ask_for_dispatch(producer_app(f"{refusing};{second.url}"))
    assert depth(second) == 1
    [line] = [each.getMessage() for each in caplog.records if "left out" in each.getMessage()]
    assert line.startswith("ARTIFACTS_BROKER_URL: ")


BAD = [
    *("?socket_timeout=abc", "?unknown=1", "?connect_timeout=abc", "?heartbeat=abc"),
    *("?virtual_host=abc", "?transport=foo", "?port=abc", "?hostname=h", "?alternates=a"),
    *(f"?connect_timeout={seconds}" for seconds in ("0", "-1", "nan", "inf")),
    *("?failover_strategy=zz", "?ssl=1", "?ssl_cert_reqs=perhaps"),
    *("?credential_provider=x.y", "?transport_options=a", "?uri_prefix=a", "?userid=u"),
]


@pytest.mark.parametrize("options", BAD)
def test_a_wrong_option_is_one_line_that_names_the_setting(
    second: RedisServer, options: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    url = second.url + options
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", url)
    # When a process reads its settings, and asks the broker; and when a producer sends
    with pytest.raises(ConfigurationError) as wrong:
        reach_broker(fail_fast_app(load(BrokerSettings).broker_url))
    with pytest.raises(ConfigurationError) as unsent:
        ask_for_dispatch(producer_app(url, timeout_seconds=10))
    # Then
    for error in (wrong, unsent):
        assert str(error.value).startswith("ARTIFACTS_BROKER_URL: ")
        assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("database", ["99", "99999999999999999999", "-1", "x"])
def test_a_wrong_database_is_one_line_that_names_the_setting(
    second: RedisServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    url = f"redis://127.0.0.1:{second.port}/{database}"
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", url)
    # When / Then
    with pytest.raises(ConfigurationError, match=r"^ARTIFACTS_BROKER_URL: "):
        reach_broker(fail_fast_app(load(BrokerSettings).broker_url))
    with pytest.raises(BrokerRefusedError, match=r"^ARTIFACTS_BROKER_URL: "):
        ask_for_dispatch(producer_app(url, timeout_seconds=10))


@pytest.mark.parametrize("options", ["?connect_timeout=3", "?heartbeat=30", ""])
def test_a_right_option_is_heeded(second: RedisServer, options: str) -> None:
    reach_broker(fail_fast_app(second.url + options))


def test_no_broker_of_several_is_an_outage() -> None:
    # Given
    ports = [kept_port(test_no_broker_of_several_is_an_outage) for _ in range(2)]
    urls = ";".join(f"redis://127.0.0.1:{port}/0" for port in ports)
    # When / Then
    with pytest.raises(BrokerUnavailableError) as away:
        ask_for_dispatch(producer_app(urls))
    assert not isinstance(away.value, ConfigurationError)
