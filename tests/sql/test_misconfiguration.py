"""Wrong settings of the database: each is one line, and none is taken for an outage."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from artifact_pipeline.domain.errors import (
    ConfigurationError,
    MisconfiguredError,
    SqlUnavailableError,
)
from artifact_pipeline.worker.embedded.servers import free_port
from artifact_pipeline.worker.sql.engine import autocommit, make_engine
from artifact_pipeline.worker.sql.platform import SqlJobs
from tests.databases import role


def ask(url: str) -> None:
    engine = make_engine(url)
    try:
        SqlJobs(engine).get(12)
    finally:
        engine.dispose()


def changed(url: str, **changes: str) -> str:
    return make_url(url).set(**changes).render_as_string(hide_password=False)  # type: ignore[arg-type]


def with_option(option: str) -> Callable[[str], str]:
    return lambda url: f"{url}&{option}"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda url: changed(url, username="nobodys"), 'role "nobodys" does not exist'),
        (lambda url: changed(url, database="nobodys"), 'database "nobodys" does not exist'),
        (with_option("foo=bar"), 'invalid connection option "foo"'),
        (with_option("sslmode=zzz"), 'invalid sslmode value: "zzz"'),
        (with_option("port=99999"), 'invalid port number: "99999"'),
        (with_option("service=nobodys"), 'definition of service "nobodys" not found'),
        (with_option("client_encoding=zzz"), 'invalid value for parameter "client_encoding"'),
    ],
    ids=["role", "database", "option", "sslmode", "port", "service", "encoding"],
)
def test_a_wrong_url_is_one_line_that_names_it(
    postgres_url: str, wrong: Callable[[str], str], said: str
) -> None:
    with pytest.raises(MisconfiguredError, match=r"^ARTIFACTS_DATABASE_URL: ") as refused:
        ask(wrong(postgres_url))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://u:hunter2@127.0.0.1:{port}/db",
        "postgresql+psycopg://u:hunter2@nobodys.invalid/db",
        "postgresql+psycopg:///db?host=/nobodys",
    ],
    ids=["port", "host", "socket"],
)
def test_what_may_come_up_yet_is_an_outage(url: str) -> None:
    with pytest.raises(SqlUnavailableError) as away:
        ask(url.format(port=free_port()))
    assert not isinstance(away.value, ConfigurationError)
    assert "hunter2" not in str(away.value)


def test_a_role_that_may_not_log_in_is_named(fresh_postgres_url: str) -> None:
    with (
        role(fresh_postgres_url, "NOLOGIN") as url,
        pytest.raises(MisconfiguredError, match="is not permitted to log in"),
    ):
        ask(url)


def test_a_missing_grant_is_one_line(fresh_postgres_url: str) -> None:
    with (
        role(fresh_postgres_url) as url,
        pytest.raises(MisconfiguredError, match=r"^database: permission denied for table jobs"),
    ):
        ask(url)


@pytest.mark.parametrize("path", ["/nobodys/artifacts.db", "/proc/artifacts.db", "{itself}"])
def test_a_file_that_is_no_database_is_named(tmp_path: Path, path: str) -> None:
    # Given
    file = tmp_path / "text"
    file.write_text("no database" * 1_000)
    # When / Then
    with pytest.raises(MisconfiguredError, match=r"^ARTIFACTS_DATABASE_URL: "):
        ask(f"sqlite:///{path.format(itself=file)}")


def test_a_file_that_may_not_be_written_is_named(sqlite_url: str) -> None:
    engine = make_engine(f"{sqlite_url.replace('sqlite:///', 'sqlite:///file:')}?mode=ro&uri=true")
    with pytest.raises(MisconfiguredError, match="readonly"), autocommit(engine) as connection:
        connection.execute(text("DELETE FROM jobs"))
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////tmp/x.db?timeout=hunter", "could not convert string to float"),
        ("sqlite:////tmp/x.db?foo=bar", "'foo' are not accepted"),
        ("postgresql+nobodys://u@h/db", "Can't load plugin"),
    ],
)
def test_a_url_that_sqlalchemy_refuses_is_one_line(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^ARTIFACTS_DATABASE_URL: ") as refused:
        make_engine(url)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
