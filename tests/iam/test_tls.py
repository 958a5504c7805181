"""An ordinary password by TLS: the options in the database's URL are the driver's."""

import pytest

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.sql.clock import read_clock
from artifact_pipeline.worker.sql.engine import autocommit, make_engine
from tests.faults.postgres import RestartablePostgres
from tests.iam.conftest import DATABASE
from tests.iam.tls_front import TlsFront
from tests.iam.tokens import USER, set_password

PASSWORD = "hunter2"


@pytest.fixture
def url(postgres: RestartablePostgres, front: TlsFront) -> str:
    """With the certificate of the server's authority."""
    set_password(postgres, PASSWORD)
    return front.url(f"{USER}:{PASSWORD}", DATABASE)


def read(url: str) -> None:
    engine = make_engine(url)
    try:
        with autocommit(engine) as connection:
            read_clock(connection)
    finally:
        engine.dispose()


def test_the_server_is_verified_by_the_authority_in_the_url(url: str) -> None:
    read(url)


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        (("&sslrootcert=", "&sslrootcert=/nowhere"), "does not exist"),
        (("&sslrootcert=", "&sslrootcert=system&application_name="), "certificate verify failed"),
        (("127.0.0.1", "localhost"), 'does not match host name "localhost"'),
    ],
    ids=["no file", "another authority", "another host"],
)
def test_what_is_not_trusted_is_one_line_that_names_the_setting(
    url: str, instead: tuple[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(url.replace(*instead))
    assert str(refused.value).startswith("ARTIFACTS_DATABASE_URL: ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert PASSWORD not in str(refused.value)
