import dataclasses
import json

import pytest

from artifact_pipeline.domain.model.transfers import ACTIVE_STATES, TransferState, TransferSummary


@pytest.mark.parametrize("state", TransferState)
def test_a_state_is_active_or_final(state: TransferState) -> None:
    final = {TransferState.DONE, TransferState.CANCELLED, TransferState.QUARANTINED}
    assert state.is_active is (state not in final)
    assert state.is_active is (state in ACTIVE_STATES)


def test_a_summary_is_json_of_a_state_and_figures() -> None:
    summary = TransferSummary(state=TransferState.DONE, size=13, seconds=0.5)
    assert json.loads(json.dumps(dataclasses.asdict(summary))) == {
        "state": "done",
        "size": 13,
        "seconds": 0.5,
    }
