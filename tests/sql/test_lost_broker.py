"""A producer that is connected to its broker when the broker goes away."""

import os
import signal
from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.worker.embedded.servers import Valkey
from tests.sql.producer import ask, count_rows, message_of, producing_to, sent_to, swept

pytestmark = pytest.mark.processes


def fill(broker: Valkey) -> None:
    with broker.client() as client:
        client.config_set("maxmemory", "1")


LOSSES: dict[str, Callable[[Valkey], None]] = {
    "killed": Valkey.kill,
    "frozen": lambda broker: os.kill(broker.pid, signal.SIGSTOP),
    "full": fill,
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES.keys())
def test_a_broker_that_goes_away_between_two_commits_loses_nothing(
    engine: Engine,
    broker: Valkey,
    tmp_path_factory: pytest.TempPathFactory,
    lose: Callable[[Valkey], None],
) -> None:
    with (
        Valkey(tmp_path_factory.mktemp("b")) as lost,
        producing_to(lost.url),
        Session(engine) as session,
    ):
        # Given a producer that is connected
        first = ask(session, 1)
        session.commit()
        assert sent_to(lost) == [message_of(first)]
        # When
        lose(lost)
        second = ask(session, 2)
        session.commit()
        lost.kill()
    # Then
    assert count_rows(engine) == 2
    assert message_of(second) in swept(engine, broker)
