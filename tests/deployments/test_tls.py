"""A broker that speaks TLS, with a certificate of a private authority."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from artifact_pipeline.domain.errors import (
    BrokerRefusedError,
    BrokerUnavailableError,
    ConfigurationError,
)
from artifact_pipeline.tasks.app import make_app, producer_app
from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.tasks.last_dispatch import last_dispatch
from artifact_pipeline.tasks.publish import ask_for_dispatch, broker_channel
from artifact_pipeline.tasks.routing import CONFIGS, RESULTS, UPKEEP
from artifact_pipeline.worker.dev.stack import FLOWER_CONFIG
from artifact_pipeline.worker.diagnosis.broker import examine_broker, fail_fast_app, reach_broker
from artifact_pipeline.worker.diagnosis.findings import Finding
from artifact_pipeline.worker.embedded.servers import Ministack, kept_port
from artifact_pipeline.worker.lifecycle.startup import WrongError, wait_until_reached
from artifact_pipeline.worker.settings import BrokerSettings, load
from tests.deployments.environments import (
    PATIENCE_SECONDS,
    Environment,
    flower_length,
    wait_until,
)
from tests.deployments.tls import Authority, TlsRedis

pytestmark = pytest.mark.processes


class Servers:
    """Brokers with certificates of one private authority."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority(directory, "private")
        self.stranger = Authority(directory, "stranger")
        self.client = self.authority.issue("client")
        self.plain = TlsRedis(directory, self.authority, wants_clients=False)
        self.elsewhere = TlsRedis(directory, self.authority, "redis.example", wants_clients=False)
        self.mutual = TlsRedis(directory, self.authority, wants_clients=True)

    def broker(self, server: TlsRedis, options: str = "") -> Broker:
        return Broker(url=server.url(options), ca_file=str(self.authority.file))

    @property
    def client_options(self) -> str:
        certificate, key = self.client
        return f"ssl_certfile={certificate}&ssl_keyfile={key}"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers(tmp_path_factory.mktemp("tls"))
    with servers.plain, servers.elsewhere, servers.mutual:
        yield servers


@pytest.fixture(scope="module")
def environment(
    servers: Servers,
    ministack: Ministack,
    migrated_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Environment]:
    broker = servers.broker(servers.plain)
    environment = Environment(tmp_path_factory.mktemp("deployed"), migrated_file, ministack, broker)
    with ExitStack() as stack:
        stack.enter_context(environment.worker("verified"))
        stack.enter_context(
            environment.celery("beat", "-A", "artifact_pipeline.worker.control", "beat")
        )
        yield environment
    environment.engine.dispose()


def reach(broker: Broker) -> None:
    reach_broker(fail_fast_app(broker))


def said_of(broker: Broker) -> str:
    with pytest.raises(BrokerRefusedError) as refused:
        reach(broker)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def findings(broker: Broker) -> dict[str, Finding]:
    return {each.check: each for each in examine_broker(fail_fast_app(broker), broker)}


class TestTrust:
    def test_a_private_authority_is_named_by_a_setting_or_in_the_url(
        self, servers: Servers
    ) -> None:
        reach(servers.broker(servers.plain))
        reach(Broker(url=servers.plain.url(f"ssl_ca_certs={servers.authority.file}")))

    def test_without_it_one_line_names_the_setting(self, servers: Servers) -> None:
        assert said_of(Broker(url=servers.plain.url())).startswith(
            "ARTIFACTS_BROKER_CA_FILE: the broker's certificate is not trusted: self-signed "
        )

    def test_another_authority_is_not_trusted(self, servers: Servers) -> None:
        broker = Broker(url=servers.plain.url(), ca_file=str(servers.stranger.file))
        assert said_of(broker).startswith("ARTIFACTS_BROKER_CA_FILE: the broker's certificate is ")

    def test_a_certificate_of_another_host_is_refused(self, servers: Servers) -> None:
        assert said_of(servers.broker(servers.elsewhere)) == (
            "ARTIFACTS_BROKER_URL: IP address mismatch, certificate is not valid for '127.0.0.1'."
            " Use a host that the broker's certificate names"
        )
        # Where somebody has decided so
        reach(servers.broker(servers.elsewhere, "ssl_check_hostname=false"))

    def test_a_certificate_that_has_expired_is_an_outage(
        self, servers: Servers, tmp_path: Path
    ) -> None:
        expired = TlsRedis(
            tmp_path, servers.authority, valid=timedelta(hours=1), wants_clients=False
        )
        with expired, pytest.raises(BrokerUnavailableError) as away:
            reach(servers.broker(expired))
        assert not isinstance(away.value, ConfigurationError)

    def test_a_worker_ends_with_that_line(self, servers: Servers) -> None:
        broker = Broker(url=servers.plain.url())
        with pytest.raises(WrongError, match=r"^broker: ARTIFACTS_BROKER_CA_FILE: "):
            wait_until_reached({"broker": lambda: reach(broker)})


class TestClientCertificates:
    def test_one_is_named_in_the_url(self, servers: Servers) -> None:
        reach(servers.broker(servers.mutual, servers.client_options))

    def test_without_one_the_broker_does_not_answer(self, servers: Servers) -> None:
        with pytest.raises(BrokerUnavailableError):
            reach(servers.broker(servers.mutual))

    def test_a_key_of_another_certificate_is_one_line(self, servers: Servers) -> None:
        _certificate, key = servers.stranger.issue("another")
        options = f"ssl_certfile={servers.client[0]}&ssl_keyfile={key}"
        assert said_of(servers.broker(servers.mutual, options)) == (
            "ARTIFACTS_BROKER_URL: ssl_keyfile is not the key of ssl_certfile"
        )


class TestDoctor:
    def test_a_verified_connection_is_well(self, servers: Servers) -> None:
        found = findings(servers.broker(servers.plain))
        assert found["broker TLS"].severity.name == "OK"
        assert found["broker"].severity.name == "OK"

    def test_an_unverified_one_is_named(self, servers: Servers) -> None:
        found = findings(servers.broker(servers.plain, "ssl_cert_reqs=none"))
        assert found["broker"].severity.name == "OK"
        assert found["broker TLS"].severity.name == "WARNING"
        assert found["broker TLS"].what.startswith("ssl_cert_reqs=none: any certificate ")

    def test_one_to_any_host_is_named(self, servers: Servers) -> None:
        found = findings(servers.broker(servers.elsewhere, "ssl_check_hostname=false"))
        assert found["broker"].severity.name == "OK"
        assert found["broker TLS"].severity.name == "WARNING"
        assert found["broker TLS"].what.startswith("ssl_check_hostname=false: any certificate ")
        assert "remove ssl_check_hostname from" in found["broker TLS"].fix

    def test_an_untrusted_one_is_named_with_its_setting(self, servers: Servers) -> None:
        found = findings(Broker(url=servers.plain.url()))
        assert found["broker"].what.startswith("ARTIFACTS_BROKER_CA_FILE: ")


class TestFlower:
    def test_it_sees_the_lengths_of_queues(self, servers: Servers) -> None:
        broker = servers.broker(servers.mutual, servers.client_options)
        ask_for_dispatch(make_app(broker))
        assert flower_length(broker, UPKEEP) == 1

    def test_a_list_of_urls_is_verified_as_a_whole(self, servers: Servers) -> None:
        urls = f"{servers.plain.url()};{servers.elsewhere.url('ssl_check_hostname=false')}"
        broker = Broker(url=urls, ca_file=str(servers.authority.file))
        reach(broker)
        assert flower_length(broker, RESULTS) == 0
        assert all("ssl_cert_reqs=required" in url for url in broker.celery_url.split(";"))

    def test_a_list_with_a_url_without_tls_is_left_as_it_is(self) -> None:
        broker = Broker(url="redis://a/0;rediss://b/0", ca_file="/ca.pem")
        app = make_app(broker)
        assert app.conf.broker_use_ssl is False
        first, second = broker.celery_url.split(";")
        assert first == "redis://a/0"
        assert second == "rediss://b/0?ssl_cert_reqs=required&ssl_ca_certs=%2Fca.pem"


class TestDeployment:
    """Every process of a deployment, with the two settings and nothing else."""

    def test_worker_beat_and_producer(
        self, environment: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        for name, value in environment.settings.items():
            monkeypatch.setenv(name, value)
        artifact = environment.config(12)
        # When a producer sends a message by the environment's settings
        producer_app().send_task(
            "artifacts.upload_job_config", kwargs={"job_id": 12}, queue=CONFIGS
        )
        # Then
        wait_until(lambda: environment.is_done(artifact))
        # And beat has asked for a dispatch
        with broker_channel(environment.app) as channel:
            wait_until(lambda: last_dispatch(channel) is not None)
        assert load(BrokerSettings).broker == environment.broker

    def test_flower_shows_workers_and_queues(self, environment: Environment) -> None:
        port = kept_port(self)
        settings = {"FLOWER_BASIC_AUTH": "a:b", "FLOWER_PORT": str(port)}
        arguments = ("-A", "artifact_pipeline.worker.control", "flower", f"--conf={FLOWER_CONFIG}")

        def get(path: str) -> Any:
            try:
                return requests.get(f"http://a:b@127.0.0.1:{port}{path}", timeout=30).json()
            except requests.RequestException:
                return {}

        def queues() -> set[str]:
            return {each["name"] for each in get("/api/queues/length").get("active_queues", ())}

        with environment.celery("flower", *arguments, settings=settings) as flower:
            flower.wait_until(lambda: bool(get("/api/workers?refresh=1")), PATIENCE_SECONDS)
            wait_until(lambda: "verified@tests" in get("/api/workers?refresh=1"))
            wait_until(lambda: queues() >= {CONFIGS, UPKEEP})
