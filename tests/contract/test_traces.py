"""The trace of a request on each adapter: it stays in the row until the transfer ends."""

from datetime import timedelta

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.model.trace_context import trace_of_message
from artifact_pipeline.domain.model.trace_headers import parse
from tests.contract.batch_world import BatchWorld
from tests.contract.repositories import Repositories
from tests.contract.transfer_steps import (
    AT_ONCE,
    CONFIG,
    LOGS,
    RESULTS,
    UPLOAD,
    claimed,
    latest,
    published,
)
from tests.contract.upload_page_steps import page_of, request
from tests.traces import TRACE


def test_the_trace_of_a_request_stays_with_it(repositories: Repositories) -> None:
    # Given requests in a trace, and one in none
    transfers = repositories.transfers
    with trace_of_message(TRACE):
        transfers.request(RESULTS, UPLOAD, "a")
        transfers.expect(CONFIG, "b", AT_ONCE)
    transfers.request(LOGS[0], UPLOAD, "c")
    # When the first is asked for again by code without a trace, and two attempts fail
    assert parse(transfers.request(RESULTS, UPLOAD, "d").trace_headers) == TRACE
    for _ in range(2):
        claim = claimed(transfers)
        assert parse(claim.trace_headers) == TRACE
        transfers.wait(claim, StoreUnavailableError(), AT_ONCE)
    # Then the dispatch sends each in its own trace
    traces = {each.request_id: parse(each.trace_headers) for each in published(transfers)}
    assert traces == {"a": TRACE, "b": TRACE, "c": {}}


def test_a_bare_request_is_recorded_in_the_trace_of_its_message(
    repositories: Repositories,
) -> None:
    with trace_of_message(TRACE):
        claim = claimed(repositories.transfers)
    row = latest(repositories.transfers)
    assert parse(claim.trace_headers) == parse(row.trace_headers) == TRACE


def test_each_upload_of_a_page_has_its_own_trace(repositories: Repositories) -> None:
    with trace_of_message(TRACE):
        request(repositories.transfers, CONFIG)
    [upload, *_] = page_of(repositories.pages)
    assert parse(upload.claim.trace_headers) == TRACE


def test_a_claim_says_how_long_its_request_has_waited(repositories: Repositories) -> None:
    request(repositories.transfers, CONFIG)
    [upload, *_] = page_of(repositories.pages)
    for claim in (upload.claim, claimed(repositories.transfers)):
        assert claim.claimed_at is not None
        assert claim.claimed_at - claim.requested_at >= timedelta(0)


def test_the_members_of_a_batch_are_transferred_in_the_trace_of_its_start(
    world: BatchWorld,
) -> None:
    # Given
    world.failed_configs(1)
    with trace_of_message(TRACE):
        batch = world.started()
    # When the dispatch releases it
    [released] = world.release(batch.id)
    # Then
    assert parse(released.trace_headers) == TRACE
    claim = world.transfers.claim(
        released.artifact, UPLOAD, released.request_id, owner="w", lease=timedelta(hours=1)
    )
    assert claim is not None
    assert (claim.batch_id, parse(claim.trace_headers)) == (batch.id, TRACE)
