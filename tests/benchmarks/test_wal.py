"""What PostgreSQL writes ahead for an upload."""

import pytest

from benchmarks.deployment import deployment
from benchmarks.wal import measure_wal

pytestmark = pytest.mark.processes


def test_ids_that_begin_with_the_time_have_less_written() -> None:
    with deployment() as made:
        ordered, of_users, random = measure_wal(made, ended=50_000, uploads=320).values()
    assert ordered["sum"] < of_users["sum"] < random["sum"]
    assert 2 * ordered["sum"] < random["sum"]
