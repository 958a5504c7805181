"""A small storm on each broker: workers die, and the broker does what is worst for it."""

import logging
from pathlib import Path

import pytest

from tests.faults.driver import Plan, run
from tests.faults.load import Load

_OF_WORKERS = {"worker killed", "worker stopped", "beat killed", "messages delivered twice"}
_OF_BROKERS = {
    "sentinel": {"master killed", "master frozen", "sentinel killed", "broker cut"},
    "rabbitmq": {"broker killed", "broker cut", "broker half open", "queues purged"},
    "postgresql": {
        *("broker cut", "broker half open", "queues purged"),
        *("PostgreSQL restarted", "PostgreSQL cut"),
    },
    "sqs": {"broker killed", "broker away", "broker cut", "broker half open", "queues purged"},
}


@pytest.mark.brokers
@pytest.mark.parametrize("broker", _OF_BROKERS)
def test_nothing_is_lost_on_another_broker(
    broker: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given artifacts to come
    plan = Plan(
        load=Load(seed=1, small=40, large=1, large_bytes=20 * 2**20),
        workers=2,
        pause=0.2,
        chaos=60,
        patience=90,
        is_spread=True,
        broker=broker,
        only=frozenset(_OF_WORKERS | _OF_BROKERS[broker]),
    )
    # When they are asked for while workers and the broker fail
    with caplog.at_level(logging.INFO, "tests.faults"):
        report = run(plan, tmp_path)
    # Then each is stored once, with its bytes, and nothing is left over
    assert report.findings == []
    assert report.faults.keys() == plan.only
