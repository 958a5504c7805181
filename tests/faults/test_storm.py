"""A bounded part of `make faults`: every fault at least once, and the audit."""

import logging
from pathlib import Path

import pytest

from tests.faults.driver import Plan, run
from tests.faults.load import Load


def test_nothing_is_lost_under_random_faults(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Given small and large artifacts to come, one of which is an archive of several parts
    load = Load(seed=1, small=150, large=3, large_bytes=20 * 2**20)
    plan = Plan(load=load, workers=2, pause=0.3, chaos=120, patience=180, is_spread=True)

    # When they are asked for while workers, broker, database and S3 fail
    with caplog.at_level(logging.INFO, "tests.faults"):
        report = run(plan, tmp_path)

    # Then each is stored once, under its job's prefix, with its bytes, and nothing is left over
    assert report.findings == []
    assert all(report.faults.values())
    assert report.duplicates_ignored > 0
    # And the receiver of events has each of them, some more than once
    assert report.event_deliveries > report.events > load.small
