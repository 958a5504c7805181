"""The time of a scrape's statements beside a history of a million transfers, and of more.

python -m benchmarks.scrape [ROWS …]

The history is filled without indexes, by one INSERT from generate_series: 10,000,000 rows take
minutes.
"""

import argparse
import statistics
import time
from datetime import timedelta

from sqlalchemy import Engine, text

from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.metrics import SqlMetrics
from artifact_pipeline.worker.sql.migrate import upgrade
from benchmarks.filling import fill, run_maintenance
from tests.faults.postgres import RestartablePostgres

_ROWS = [1_000, 1_000_000]
_OUTSTANDING = 1_000
_ENDED_SINCE = 1_000
_SCRAPES = 30
_FILL = """
INSERT INTO transfers (request_id, job_id, kind, direction, state, attempts, fence, requested_at,
                       next_attempt_at, claimed_at, finished_at, bytes_sent)
SELECT gen_random_uuid()::text, n, 'job_config', 'upload', :state, 1, 1, at, at,
       CASE WHEN :ended THEN at END, CASE WHEN :ended THEN at END, CASE WHEN :ended THEN 4096 END
FROM generate_series(CAST(:first AS bigint), :last) n,
     LATERAL (SELECT (now() AT TIME ZONE 'UTC') - CAST(:ago AS interval) AS at) moment
"""


def measure_scrapes(engine: Engine, rows: int) -> None:
    """Print the milliseconds of a look, with so many ended transfers beside the current ones."""
    upgrade(engine, with_platform_tables=True)
    filled = fill(engine, "transfers", _FILL, **_range(1, rows, "done", ago="90 days"))
    _fill(engine, rows + 1, rows + _OUTSTANDING, "requested", ago="5 minutes")
    _fill(engine, rows + _OUTSTANDING + 1, rows + _OUTSTANDING + _ENDED_SINCE, "done", ago="20 s")
    run_maintenance(engine, "VACUUM ANALYZE transfers", "CHECKPOINT")
    metrics = SqlMetrics(engine, lease=timedelta(minutes=1), breaker_failures=5)
    metrics.read()
    taken = [_timed(metrics) for _ in range(_SCRAPES)]
    p50, worst = statistics.median(taken), max(taken)
    print(f"{rows:,} ended rows: p50 {p50:.1f} ms, at most {worst:.1f} ms; {filled}", flush=True)


def _fill(engine: Engine, first: int, last: int, state: str, *, ago: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(_FILL), _range(first, last, state, ago=ago))


def _range(first: int, last: int, state: str, *, ago: str) -> dict[str, object]:
    return {"first": first, "last": last, "state": state, "ago": ago, "ended": state == "done"}


def _timed(metrics: SqlMetrics) -> float:
    began = time.perf_counter()
    found = metrics.read(first=timedelta(minutes=1))
    milliseconds = 1000 * (time.perf_counter() - began)
    assert sum(each.transfers for each in found.ended.values()) == _ENDED_SINCE
    return milliseconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, default=_ROWS)
    for count in parser.parse_args().rows:
        with RestartablePostgres() as postgres:
            postgres.create("platform")
            measure_scrapes(make_engine(postgres.url("platform")), count)
