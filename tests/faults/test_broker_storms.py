"""A small storm on each broker but Valkey, on which `test_storm.py` inflicts every fault."""

import logging
from pathlib import Path

import pytest

from tests.faults.driver import run
from tests.faults.small_storm import OF_BROKERS, small_storm


@pytest.mark.brokers
@pytest.mark.parametrize("broker", [name for name in OF_BROKERS if name != "valkey"])
def test_nothing_is_lost_on_another_broker(
    broker: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given artifacts to come
    plan = small_storm(broker)
    # When they are asked for while workers and the broker fail
    with caplog.at_level(logging.INFO, "tests.faults"):
        report = run(plan, tmp_path)
    # Then each is stored once, with its bytes, and nothing is left over
    assert report.findings == []
    assert report.faults.keys() == plan.only
