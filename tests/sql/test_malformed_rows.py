"""Rows of `transfers` that another program writes wrongly, or has written before it was refused."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfer_filter import TransferFilter
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.worker.sql.clock import utc_now
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.migrate import upgrade
from artifact_pipeline.worker.sql.status import SqlStatus
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.lists import list_transfers, malformed_ids
from artifact_pipeline.worker.sql.transfers.quarantine_pages import SqlQuarantinePages
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.contract.transfer_steps import published
from tests.sql.copies import Copies
from tests.sql.migration_steps import move

GOOD = {"job_id": 12, "run_id": 4, "kind": "run_results", "direction": "upload"}
WRONG: dict[str, dict[str, object]] = {
    "without its run": {"run_id": None},
    "with a run too many": {"kind": "job_input"},
    "of run 0": {"run_id": 0},
    "of another direction": {"direction": "uplod"},
    "of another kind": {"kind": "run_result"},
    "of no job": {"job_id": 0},
}
CONSTRAINTS = {
    "of another direction": "transfers_known_direction",
    "of no job": "transfers_of_a_job",
}
every_wrong_one = pytest.mark.parametrize("name", WRONG)


@pytest.fixture(params=["sqlite", "postgresql"])
def older(request: pytest.FixtureRequest, copies: Copies, tmp_path: Path) -> Iterator[Engine]:
    """A copy of a database of the version before the constraints."""
    with copies.of("older", lambda made: move(made, "0006"), request.param, tmp_path) as engine:
        yield engine


@pytest.fixture(params=["sqlite_url", "fresh_postgres_url"])
def unchecked(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database of today that does not check what another program writes."""
    engine = make_engine(request.getfixturevalue(request.param))
    with engine.begin() as connection:
        for name in {*CONSTRAINTS.values(), "transfers_run_fits_kind"}:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"ALTER TABLE transfers DROP CONSTRAINT {name}"))
                continue
            for suffix in ("inserted", "updated"):
                connection.execute(text(f"DROP TRIGGER {name}_{suffix}"))
    yield engine
    engine.dispose()


def insert_row(engine: Engine, request_id: str, **values: object) -> None:
    row = {**GOOD, "state": "waiting", "request_id": request_id, **values}
    with engine.begin() as connection:
        connection.execute(
            insert(TransferRow).values(
                **row, requested_at=utc_now(), next_attempt_at=utc_now(), attempts=0, fence=0
            )
        )


class TestRefused:
    def test_a_wrong_name_of_a_workspace_is_not_inserted(self, engine: Engine) -> None:
        # A name becomes a part of a queue's name
        for name in ("Host", "a b", "-a", "a-", "", "a.b", "é"):
            with pytest.raises(IntegrityError, match="transfers_workspace_name"):
                insert_row(engine, "a", workspace=name)
        for run_id, good in enumerate(("a", "host-7", None), start=1):
            insert_row(engine, f"good {run_id}", run_id=run_id, workspace=good)

    @every_wrong_one
    def test_a_wrong_one_is_not_inserted(self, engine: Engine, name: str) -> None:
        constraint = CONSTRAINTS.get(name, "transfers_run_fits_kind")
        with pytest.raises(IntegrityError, match=constraint):
            insert_row(engine, "wrong", **WRONG[name])
        assert SqlTransfers(engine).of_job(12) == []

    @every_wrong_one
    def test_a_good_one_is_not_changed_to_it(self, engine: Engine, name: str) -> None:
        insert_row(engine, "good")
        with (
            pytest.raises(IntegrityError, match=CONSTRAINTS.get(name, "transfers_run_fits_kind")),
            engine.begin() as connection,
        ):
            connection.execute(update(TransferRow).values(WRONG[name]))

    @pytest.mark.parametrize(("kind", "direction"), [*product(ArtifactKind, Direction)])
    def test_every_kind_and_direction_is_accepted(
        self, engine: Engine, kind: ArtifactKind, direction: Direction
    ) -> None:
        run_id = 4 if kind.belongs_to_run else None
        insert_row(engine, "good", kind=kind, direction=direction, run_id=run_id)
        (read,) = SqlTransfers(engine).of_job(12)
        assert (read.artifact, read.direction) == (Artifact(kind, 12, run_id), direction)
        assert malformed_ids(engine, 5) == []


class TestUnchecked:
    @every_wrong_one
    def test_one_does_not_keep_the_others_from_being_sent(
        self, unchecked: Engine, name: str
    ) -> None:
        # Given
        insert_row(unchecked, "wrong", **WRONG[name])
        insert_row(unchecked, "good", job_id=13)
        # When
        sent = published(SqlTransfers(unchecked))
        # Then
        assert [each.request_id for each in sent] == ["good"]
        assert malformed_ids(unchecked, 5) == [1]

    def test_the_status_and_the_lists_show_the_others(self, unchecked: Engine) -> None:
        # Given rows of a kind of a newer version, of each state that is shown
        newer: dict[str, object] = {"kind": "job_video", "run_id": None}
        moment = {"finished_at": utc_now(), "reason_code": "access_denied"}
        others: list[dict[str, object]] = [{}, newer, {"job_id": 13}]
        for number, values in enumerate(others, start=1):
            insert_row(unchecked, f"waiting {number}", **values)
            insert_row(unchecked, f"done {number}", **{**values, "state": "done"}, **moment)
            given_up = {**values, "state": "quarantined"}
            insert_row(unchecked, f"given up {number}", **given_up, **moment)
        # When / Then
        status = SqlStatus(unchecked, breaker_failures=5).read()
        assert sum(each.transfers for each in status.transfers) == 2
        listed = list_transfers(unchecked, TransferFilter(), limit=5)
        assert [each.id for each in listed] == [9, 8, 7, 3, 2]
        listed = list_transfers(unchecked, TransferFilter(), limit=3, before=7)
        assert [each.id for each in listed] == [3, 2, 1]
        page = SqlQuarantinePages(unchecked).page(limit=10)
        assert {each.artifact.job_id for each in page.transfers} == {12, 13}
        assert len(SqlQuarantinePages(unchecked).groups()[1]) == 1

    @pytest.mark.parametrize("name", ["without its run", "of another direction", "of another kind"])
    def test_one_is_named_where_it_is_read(self, unchecked: Engine, name: str) -> None:
        insert_row(unchecked, "wrong", **WRONG[name])
        said = r"^row 1 of transfers is invalid: .*\. Correct it"
        with pytest.raises(InvalidRequestError, match=said):
            SqlTransfers(unchecked).of_job(12)


class TestOlder:
    """Rows of a schema before the constraints, after its upgrade."""

    @every_wrong_one
    def test_an_upgrade_keeps_it_and_ends_it(self, older: Engine, name: str) -> None:
        # Given
        insert_row(older, "wrong", **WRONG[name])
        insert_row(older, "done", **{**WRONG[name], "state": "done"})
        insert_row(older, "good", job_id=13)
        # When
        upgrade(older, with_platform_tables=True)
        # Then
        with older.connect() as connection:
            rows = select(TransferRow.request_id, TransferRow.state, TransferRow.last_error)
            states = [tuple(row) for row in connection.execute(rows.order_by(TransferRow.id))]
        assert states == [
            ("wrong", "cancelled", "malformed row; its state was waiting"),
            ("done", "done", None),
            ("good", "waiting", None),
        ]
        assert malformed_ids(older, 5) == [1, 2]
        # And commands that change the job's transfers do not meet a constraint
        SqlTransfers(older).cancel(12, None, None)

    @every_wrong_one
    def test_one_can_be_corrected_or_deleted_after_the_upgrade(
        self, older: Engine, name: str
    ) -> None:
        # Given
        insert_row(older, "wrong", **WRONG[name])
        upgrade(older, with_platform_tables=True)
        # When
        with older.begin() as connection:
            connection.execute(update(TransferRow).values(**GOOD, state=TransferState.WAITING))
        # Then
        (sent,) = published(SqlTransfers(older))
        assert sent.artifact == Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
        with older.begin() as connection:
            assert connection.execute(delete(TransferRow)).rowcount == 1

    def test_a_downgrade_takes_the_constraints_away(self, older: Engine) -> None:
        upgrade(older, with_platform_tables=True)
        move(older, "0006")
        insert_row(older, "wrong", run_id=None)
        with older.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM transfers")) == 1


def test_a_good_one_is_read(engine: Engine) -> None:
    insert_row(engine, "good")
    (read,) = SqlTransfers(engine).of_job(12)
    assert (read.artifact, read.direction) == (
        Artifact(ArtifactKind.RUN_RESULTS, 12, 4),
        Direction.UPLOAD,
    )
