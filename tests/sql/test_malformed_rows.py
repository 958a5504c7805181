"""Rows of `transfers` that another program has written wrongly."""

import pytest
from sqlalchemy import Engine, insert

from domain.artifacts import Artifact, ArtifactKind
from domain.errors import InvalidRequestError
from domain.transfers import Direction
from tests.contract.transfer_steps import published
from worker.sql.clock import utc_now
from worker.sql.tables import TransferRow
from worker.sql.transfers import SqlTransfers

GOOD = {"job_id": 12, "run_id": 4, "kind": "run_results", "direction": "upload"}
WRONG: dict[str, dict[str, object]] = {
    "without its run": {"run_id": None},
    "with a run too many": {"kind": "job_input"},
    "of another direction": {"direction": "uplod"},
    "of another kind": {"kind": "run_result"},
    "of no job": {"job_id": 0},
}


def insert_row(engine: Engine, request_id: str, **values: object) -> None:
    row = {**GOOD, "state": "waiting", "request_id": request_id, **values}
    with engine.begin() as connection:
        connection.execute(
            insert(TransferRow).values(
                **row, requested_at=utc_now(), next_attempt_at=utc_now(), attempts=0, fence=0
            )
        )


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_one_does_not_keep_the_others_from_being_sent(
    engine: Engine, wrong: dict[str, object]
) -> None:
    # Given
    insert_row(engine, "wrong", **wrong)
    insert_row(engine, "good", job_id=13)
    # When
    sent = published(SqlTransfers(engine))
    # Then
    assert [each.request_id for each in sent] == ["good"]


@pytest.mark.parametrize("name", ["without its run", "of another direction", "of another kind"])
def test_one_is_named_where_it_is_read(engine: Engine, name: str) -> None:
    insert_row(engine, "wrong", **WRONG[name])
    with pytest.raises(InvalidRequestError, match=r"^row 1 of transfers is none: .*\. Correct it"):
        SqlTransfers(engine).of_job(12)


def test_a_good_one_is_read(engine: Engine) -> None:
    insert_row(engine, "good")
    (read,) = SqlTransfers(engine).of_job(12)
    assert (read.artifact, read.direction) == (
        Artifact(ArtifactKind.RUN_RESULTS, 12, 4),
        Direction.UPLOAD,
    )
