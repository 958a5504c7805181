"""What of the fakes neither the contract nor the use cases reach."""

import time
from datetime import UTC, datetime

import pytest

from artifact_pipeline.domain.errors import UnknownJobError, UnknownRunError
from artifact_pipeline.domain.fakes import (
    InMemoryArtifacts,
    InMemoryJobs,
    InMemoryRuns,
    InMemorySource,
    InMemoryTransfers,
)
from artifact_pipeline.domain.model.jobs import Run
from tests.contract.transfer_steps import at_once, claim_of
from tests.domain.world import CONFIG, JOB, RESULTS, World


def test_the_platform_knows_its_jobs_and_runs() -> None:
    jobs, runs = InMemoryJobs(JOB), InMemoryRuns(Run(4, 12))
    assert (jobs.get(12), runs.get(4)) == (JOB, Run(4, 12))
    with pytest.raises(UnknownJobError, match="no job 13"):
        jobs.get(13)
    with pytest.raises(UnknownRunError, match="no run 5"):
        runs.get(5)


def test_a_source_gives_the_same_bytes_at_each_call() -> None:
    source = InMemorySource(b"abcdefg", exact_size=7, chunk_size=3)
    assert list(source.chunks()) == list(source.chunks()) == [b"abc", b"def", b"g"]


def test_the_size_of_an_archive_is_known_only_as_a_bound(world: World) -> None:
    config, results = world.workspace.source(CONFIG), world.workspace.source(RESULTS)
    assert (config.exact_size, config.largest_size) == (13, 13)
    assert (results.exact_size, results.largest_size) == (None, 2000)


def test_claims_at_once_stay_one_however_the_threads_interleave() -> None:
    def slow_clock() -> datetime:
        # Another thread runs here, between what a claim reads and what it writes
        time.sleep(0.001)
        return datetime.now(UTC)

    transfers = InMemoryTransfers(InMemoryArtifacts(), slow_clock)
    claims = at_once(lambda number: claim_of(transfers, request_id=f"request-{number}"))
    assert sum(claim is not None for claim in claims) == 1
    assert len(transfers.rows) == 1
