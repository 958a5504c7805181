"""A trace on real servers outlives a broker that forgets all, and a worker that is killed."""

from collections import Counter

import pytest

from artifact_pipeline.domain.model.transfers import TransferState
from benchmarks.traced_upload import REQUEST, record

pytestmark = pytest.mark.processes


def test_one_trace_from_the_request_to_the_record() -> None:
    # When an upload is requested in a span, its worker is killed, and the broker is flushed
    traced = record()
    # Then it is stored by the second attempt
    assert (traced.transfer.state, traced.transfer.attempts) == (TransferState.DONE, 2)
    # And its one trace has the request, the message that the dispatch sent again, and the attempt.
    # Of the killed one it has the claim: its own span died with its process.
    names = Counter(span.name for span in traced.spans)
    assert names.pop("artifacts.publish") >= 1
    assert names == {
        REQUEST: 1,
        "artifacts.claim": 2,
        "artifacts.upload": 1,
        "artifacts.store.put": 1,
        "artifacts.record": 1,
    }
    # And all is in the span of the request
    [request] = [span for span in traced.spans if span.name == REQUEST]
    parents = {span.name: span.parent_span_id for span in traced.spans}
    assert parents["artifacts.publish"] == parents["artifacts.upload"] == request.span_id
