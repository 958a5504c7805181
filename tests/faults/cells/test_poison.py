"""A transfer that kills its worker every time."""

from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from tests.faults.cells.cell import MORTAL, Cell, children
from tests.faults.cells.requests import is_put
from tests.faults.cells.test_killed import SOON


def test_a_transfer_that_kills_its_worker_every_time_ends_in_quarantine(cell: Cell) -> None:
    # Given a worker whose child dies of this transfer, as of too little memory
    poison = cell.small(b"poison")
    cell.rescuer("--queues", "upkeep")
    settings = {**MORTAL, "ARTIFACTS_MAX_ATTEMPTS": "2"}
    worker = cell.worker(*SOON, "--queues", "configs", **settings)
    for attempt in (1, 2):
        hold = cell.s3.hold(is_put)
        if attempt == 1:
            cell.request(poison)
        assert hold.arrived.wait(30)
        [child] = children(worker)
        child.kill()
        cell.s3.heal()

    # When as many attempts as there are have lost their worker, then it is given up
    ended = cell.ended(poison)
    assert (ended.state, ended.reason_code) == (TransferState.QUARANTINED, ReasonCode.POISONED)
    # And the worker lives, and does the next one
    assert worker.is_running
    following = cell.small()
    cell.request(following)
    cell.stored(following)
