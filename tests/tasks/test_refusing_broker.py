"""A broker that answers and refuses is a wrong setting, and no outage."""

from collections.abc import Iterator

import pytest

from artifact_pipeline.domain.errors import (
    BrokerRefusedError,
    BrokerUnavailableError,
    ConfigurationError,
)
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app, reach_broker
from artifact_pipeline.worker.embedded.servers import Valkey, free_port

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A broker with a password, and a user who may do nothing but log in."""
    port = free_port()
    with Valkey(tmp_path_factory.mktemp("broker"), port) as server, server.client() as client:
        client.config_set("requirepass", "hunter2")
        client.execute_command("ACL SETUSER limited on >hunter2 ~* -@all")
        yield port


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (":hunter3@127.0.0.1:{port}/0", "invalid username-password pair"),
        ("127.0.0.1:{port}/0", "Authentication required"),
        ("limited:hunter2@127.0.0.1:{port}/0", "has no permissions"),
        (":hunter2@127.0.0.1:{port}/99", "DB index is out of range"),
    ],
    ids=["wrong password", "no password", "no permission", "no such database"],
)
def test_a_refusal_is_one_line_that_names_the_setting(port: int, address: str, said: str) -> None:
    # When
    with pytest.raises(BrokerRefusedError) as refused:
        reach_broker(fail_fast_app("redis://" + address.format(port=port)))
    # Then
    assert isinstance(refused.value, ConfigurationError)
    assert str(refused.value).startswith("ARTIFACTS_BROKER_URL: ")
    assert said in str(refused.value)
    assert "hunter" not in str(refused.value)


def test_a_broker_that_is_away_is_no_wrong_setting() -> None:
    with pytest.raises(BrokerUnavailableError) as away:
        reach_broker(fail_fast_app(f"redis://127.0.0.1:{free_port()}/0"))
    assert not isinstance(away.value, ConfigurationError)
