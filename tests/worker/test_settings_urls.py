"""The URLs of the broker and the database, and the tokens that go with them."""

from ssl import CERT_REQUIRED

import pytest

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.tasks.amqps_transport import client_options
from artifact_pipeline.tasks.app import broker_urls, make_app
from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.tasks.keys import prefix_of
from artifact_pipeline.worker.composition.engine import use_iam_tokens
from artifact_pipeline.worker.settings import BrokerSettings, DatabaseSettings, load
from artifact_pipeline.worker.sql.engine import make_engine

pytestmark = pytest.mark.usefixtures("good")


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://:p%2Fw@h:6379/1",
        "rediss://h:6380/0?ssl_cert_reqs=required",
        "redis+socket:///run/valkey.sock?virtual_host=1",
        "redis://a:6379/0;redis://b:6379/0",
    ],
)
def test_every_way_to_a_redis_is_good(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", url)
    # When / Then
    assert load(BrokerSettings).broker_url == url


@pytest.mark.parametrize(
    "url",
    [
        "redis://h/0?connect_timeout=3",
        "redis://h/0?heartbeat=30&virtual_host=1",
        "rediss://h/0?ssl_ciphers=HIGH&ssl_min_version=771&ssl_check_hostname=false",
        "rediss://h/0?ssl_cert_reqs=required",
        "amqps://u:p@h//?heartbeat=10&ssl_check_hostname=false",
        "postgresql+psycopg://u:p@h/db?sslmode=verify-full&sslrootcert=system",
    ],
)
def test_options_that_the_broker_client_knows_are_accepted(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", url)
    assert load(BrokerSettings).broker_url == url


SENTINELS = "sentinel://:p%2Fw@a:26379/0;sentinel://:p%2Fw@b:26379/0"


def test_sentinels_are_asked_for_a_master(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", SENTINELS)
    monkeypatch.setenv("ARTIFACTS_BROKER_MASTER_NAME", "mymaster")
    monkeypatch.setenv("ARTIFACTS_BROKER_SENTINEL_PASSWORD", "hunter2")
    # When
    broker = load(BrokerSettings).broker
    app = make_app(broker)
    # Then
    assert broker_urls(app) == [SENTINELS]
    options = app.conf.broker_transport_options
    assert options["master_name"] == "mymaster"
    assert options["sentinel_kwargs"]["password"] == "hunter2"
    assert "hunter2" not in repr(broker)


@pytest.mark.parametrize(
    ("url", "master", "said"),
    [
        (SENTINELS, "", "ARTIFACTS_BROKER_MASTER_NAME: not set, and sentinels ask for it"),
        ("redis://h/0", "mymaster", "ARTIFACTS_BROKER_MASTER_NAME: only for sentinel:// URLs"),
        (f"{SENTINELS};redis://h/0", "mymaster", "ARTIFACTS_BROKER_URL: after the first URL, only"),
        ("sentinel://h:26379/hunter2", "m", "ARTIFACTS_BROKER_URL: the path is not the number"),
        ("sentinel://h/0?ssl_cert_reqs=none", "m", "ARTIFACTS_BROKER_URL: unknown option after"),
        (
            "sentinels://h/0?ssl_ca_certs=/hunter2",
            "m",
            "ARTIFACTS_BROKER_URL: ssl_ca_certs: the file",
        ),
        ("amqps://h//?ssl_ca_certs=/hunter2", "", "ARTIFACTS_BROKER_URL: ssl_ca_certs: the file"),
        ("amqp://h//?ssl_cert_reqs=none", "", "ARTIFACTS_BROKER_URL: unknown option after"),
        ("postgresql://u:hunter2@h", "", "ARTIFACTS_BROKER_URL: no database. Example: postgresql"),
        ("postgresql://h/d?hunter2=1", "", "ARTIFACTS_BROKER_URL: libpq cannot read it"),
        (
            "postgresql://h/d?sslrootcert=/hunter2",
            "",
            "ARTIFACTS_BROKER_URL: sslrootcert: ",
        ),
        ("sqs://key:hunter2@", "", "ARTIFACTS_BROKER_URL: the URL of Amazon SQS is sqs:// alone."),
        ("kafka://h", "", "ARTIFACTS_BROKER_URL: unsupported scheme. Use redis://, rediss://"),
    ],
)
def test_what_names_no_broker_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, url: str, master: str, said: str
) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", url)
    monkeypatch.setenv("ARTIFACTS_BROKER_MASTER_NAME", master)
    # When
    with pytest.raises(ConfigurationError) as refused:
        load(BrokerSettings)
    # Then
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_rabbitmq_has_quorum_queues_and_no_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", "amqp://u:p@h:5672/staging?heartbeat=10")
    # When
    app = make_app(load(BrokerSettings).broker)
    # Then
    assert {each.queue_arguments["x-queue-type"] for each in app.conf.task_queues} == {"quorum"}
    assert app.conf.broker_transport_options == {"confirm_publish": True}
    monkeypatch.setenv("ARTIFACTS_BROKER_PREFIX", "staging:")
    with pytest.raises(ConfigurationError, match=r"^ARTIFACTS_BROKER_PREFIX: RabbitMQ has no "):
        load(BrokerSettings)


def test_sqs_has_prefixes_of_its_own_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", "sqs://")
    monkeypatch.setenv("ARTIFACTS_BROKER_PREFIX", "eu.staging:")
    # When
    app = make_app(load(BrokerSettings).broker)
    # Then
    assert app.conf.broker_transport_options["queue_name_prefix"] == "eu_staging_"
    assert prefix_of(app) == "eu_staging_"


def test_sentinels_and_their_master_are_reached_by_tls() -> None:
    # Given
    url = SENTINELS.replace("sentinel://", "sentinels://")
    # When
    app = make_app(Broker(url=url, ca_file="/ca.pem", master_name="mymaster"))
    # Then
    of_sentinels = app.conf.broker_transport_options["sentinel_kwargs"]
    assert of_sentinels["ssl"] is True
    assert of_sentinels["ssl_cert_reqs"] is CERT_REQUIRED
    assert app.conf.broker_use_ssl["ssl_ca_certs"] == of_sentinels["ssl_ca_certs"] == "/ca.pem"


def test_rabbitmq_verifies_the_host_of_each_url() -> None:
    # Given
    first = client_options({"ssl_cert_reqs": CERT_REQUIRED, "ssl_ca_certs": "/ca.pem"}, "a")
    # When it connects to the next one
    second = client_options(first, "b")
    # Then
    assert (first["server_hostname"], second["server_hostname"]) == ("a", "b")
    assert second["ca_certs"] == "/ca.pem"
    assert client_options({"ssl_check_hostname": False}, "a")["server_hostname"] is None
    assert client_options({}, "a")["cert_reqs"] is CERT_REQUIRED


def test_a_producer_of_sentinels_needs_the_master_too() -> None:
    with pytest.raises(ConfigurationError, match=r"^ARTIFACTS_BROKER_MASTER_NAME: not set"):
        make_app(SENTINELS)


@pytest.mark.parametrize(
    "url", ["sqlite:////var/lib/a.db", "postgresql://u:p@h/db", "postgresql+psycopg://u@h:5432/db"]
)
def test_both_databases_are_good(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", url)
    # When / Then
    assert load(DatabaseSettings).database_url == url


RDS = "postgresql+psycopg://me@db.example:5432/platform"


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_tokens_go_by_tls(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_DATABASE_IAM", "true")
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", f"{RDS}?sslmode={mode}")
    # When / Then
    assert load(DatabaseSettings).database_iam


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (RDS, "a token must be sent by TLS: set sslmode to require or verify-ca or verify-full"),
        (f"{RDS}?sslmode=prefer", "a token must be sent by TLS: "),
        (f"{RDS}?sslmode=disable", "a token must be sent by TLS: "),
        (f"{RDS}?sslmode=require&sslmode=disable", "a token must be sent by TLS: "),
        ("sqlite:////var/lib/a.db", "tokens are for PostgreSQL: use postgresql+psycopg://"),
        ("postgresql://db.example/platform?sslmode=require", "a token is for a host and a user"),
        ("postgresql://me@/platform?sslmode=require", "a token is for a host and a user"),
        (f"{RDS}?sslmode=require&host=/run", "host is among the options: "),
        (f"{RDS}?sslmode=require&password=hunter2", "password is among the options: "),
    ],
)
def test_a_database_that_a_token_does_not_fit_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_DATABASE_IAM", "true")
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", url)
    # When
    with pytest.raises(ConfigurationError) as refused:
        load(DatabaseSettings)
    # Then
    assert str(refused.value).startswith(f"ARTIFACTS_DATABASE_URL: {said}")
    assert "hunter2" not in str(refused.value)
    engine = make_engine(url)
    with pytest.raises(ConfigurationError, match=r"^ARTIFACTS_DATABASE_URL: "):
        use_iam_tokens(engine)


def test_whether_tokens_are_used_is_true_or_false(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTIFACTS_DATABASE_IAM", "perhaps")
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", RDS)
    with pytest.raises(ConfigurationError, match=r"^ARTIFACTS_DATABASE_IAM: "):
        load(DatabaseSettings)
