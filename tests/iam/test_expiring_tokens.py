"""A fresh token for each connection, on a PostgreSQL that accepts the last one alone."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from artifact_pipeline.domain.errors import ConfigurationError, MisconfiguredError
from artifact_pipeline.worker.composition.adapters import Adapters
from artifact_pipeline.worker.composition.engine import RdsTokens, database_engine, use_iam_tokens
from artifact_pipeline.worker.composition.repositories import Database
from artifact_pipeline.worker.diagnosis.database import opened
from artifact_pipeline.worker.diagnosis.readiness import REACH
from artifact_pipeline.worker.settings import DatabaseSettings, OperatorSettings, load
from artifact_pipeline.worker.sql.engine import autocommit, make_engine
from artifact_pipeline.worker.sql.platform import SqlJobs
from tests.faults.postgres import RestartablePostgres
from tests.faults.proxy import TcpProxy
from tests.iam.tls_front import HOST, TlsFront
from tests.iam.tokens import USER, ExpiringTokens


@pytest.fixture(autouse=True)
def settings(
    front: TlsFront, tokens: ExpiringTokens, monkeypatch: pytest.MonkeyPatch
) -> DatabaseSettings:
    """Of a deployment that logs in by tokens, which the stand-in gives."""
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", front.url(USER, "platform"))
    monkeypatch.setenv("ARTIFACTS_DATABASE_IAM", "true")
    monkeypatch.setattr(RdsTokens, "__call__", lambda _: tokens())
    return load(DatabaseSettings)


@pytest.fixture
def engine(settings: DatabaseSettings) -> Iterator[Engine]:
    engine = database_engine(settings)
    yield engine
    engine.dispose()


def ask(engine: Engine) -> Any:
    with autocommit(engine) as connection:
        return connection.scalar(text("SELECT current_user"))


def test_each_new_connection_asks_for_its_own_token(engine: Engine, tokens: ExpiringTokens) -> None:
    # Given
    assert tokens.given == []
    # When a second connection is made, which ends the first one's token
    with autocommit(engine) as first, autocommit(engine) as second:
        users = [each.scalar(text("SELECT current_user")) for each in (first, second, first)]
    # Then the first goes on, and both are used again without a token
    assert users == [USER] * 3
    assert ask(engine) == USER
    assert tokens.given == ["token 1", "token 2"]


def test_a_token_that_has_expired_logs_nobody_in(
    engine: Engine, front: TlsFront, tokens: ExpiringTokens
) -> None:
    # Given
    ask(engine)
    engine.dispose()
    ask(engine)
    url = front.url(f"{USER}:{tokens.given[0].replace(' ', '%20')}", "platform")
    # When
    stale = make_engine(url)
    with pytest.raises(MisconfiguredError, match="password authentication failed"):
        ask(stale)
    # Then one that is asked for now does
    engine.dispose()
    assert ask(engine) == USER
    assert len(tokens.given) == 3


def test_after_a_restart_of_the_server_connections_come_back_by_new_tokens(
    engine: Engine, postgres: RestartablePostgres, tokens: ExpiringTokens
) -> None:
    # Given
    ask(engine)
    # When
    postgres.restart()
    # Then
    assert ask(engine) == USER
    assert len(tokens.given) == 2


def test_a_password_in_the_url_is_not_used(
    front: TlsFront, tokens: ExpiringTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", front.url(f"{USER}:hunter2", "platform"))
    engine = database_engine()
    assert ask(engine) == USER
    assert tokens.given == ["token 1"]
    engine.dispose()


def test_an_engine_of_ones_own_may_have_its_tls_in_connect_args(
    front: TlsFront, tokens: ExpiringTokens
) -> None:
    # Given
    url = make_url(front.url(USER, "platform"))
    engine = create_engine(url.set(query={}), connect_args=dict(url.query))
    # When
    use_iam_tokens(engine)
    # Then no connection was made for the check
    assert tokens.given == []
    assert ask(engine) == USER
    engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "a token must be sent by TLS"),
        ({"sslmode": "prefer"}, "a token must be sent by TLS"),
        ({"sslmode": "require", "host": "elsewhere"}, "connect_args has another host"),
        ({"sslmode": "require", "service": "mine"}, "connect_args has another service"),
    ],
)
def test_connect_args_that_a_token_does_not_fit_are_refused(
    front: TlsFront, tokens: ExpiringTokens, arguments: dict[str, str], said: str
) -> None:
    # Given
    url = make_url(front.url(USER, "platform")).set(query={})
    engine = create_engine(url, connect_args=arguments)
    # When / Then
    with pytest.raises(ConfigurationError, match=f"^ARTIFACTS_DATABASE_URL: {said}"):
        use_iam_tokens(engine)
    assert tokens.given == []


def _by_adapters() -> None:
    adapters = Adapters(load(OperatorSettings), "test")
    assert adapters.jobs.newest(1) == []
    adapters.close()


def _by_commands() -> None:
    database = Database(load(DatabaseSettings))
    assert database.jobs.newest(1) == []
    database.close()


def _by_a_look() -> None:
    with opened(load(DatabaseSettings)) as engine:
        assert SqlJobs(engine).newest(1) == []


def _by_a_producer() -> None:
    engine = database_engine()
    assert SqlJobs(engine).newest(1) == []
    engine.dispose()


@pytest.mark.parametrize(
    "use", [_by_adapters, _by_commands, _by_a_look, _by_a_producer, REACH["database"]]
)
def test_every_engine_of_the_settings_logs_in_by_tokens(
    use: Callable[[], None], tokens: ExpiringTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTIFACTS_BUCKET", "some-bucket")
    use()
    assert tokens.given


@pytest.mark.parametrize(
    ("replaced", "by", "said"),
    [
        ("{certificate}", "system", "certificate verify failed"),
        (f"@{HOST}", "@localhost", "does not match host name"),
        ("{certificate}", "/nobodys.pem", "does not exist"),
    ],
    ids=["issuer", "host", "file"],
)
def test_a_server_with_a_wrong_certificate_is_wrong_and_not_away(
    front: TlsFront, monkeypatch: pytest.MonkeyPatch, replaced: str, by: str, said: str
) -> None:
    # Given
    url = front.url(USER, "platform")
    wrong = url.replace(replaced.format(certificate=front.certificate), by)
    assert wrong != url
    monkeypatch.setenv("ARTIFACTS_DATABASE_URL", wrong)
    engine = database_engine()
    # When / Then
    with pytest.raises(MisconfiguredError, match=said):
        ask(engine)
    engine.dispose()


def test_a_server_that_has_no_tls_gets_no_token(
    postgres: RestartablePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the same server without TLS before it
    with TcpProxy(postgres.socket) as proxy:
        url = f"postgresql+psycopg://{USER}@{HOST}:{proxy.port}/platform?sslmode=require"
        monkeypatch.setenv("ARTIFACTS_DATABASE_URL", url)
        engine = database_engine()
        # When / Then
        with pytest.raises(MisconfiguredError, match="does not support SSL"):
            ask(engine)
        engine.dispose()
