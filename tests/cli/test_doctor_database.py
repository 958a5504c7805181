"""What `artifacts doctor` finds in the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text

from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.embedded.servers import free_port
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.version import VERSION_TABLE
from tests.cli.commands import Command
from tests.cli.doctor_steps import found
from tests.cli.shelf import Shelf
from tests.databases import role

pytestmark = pytest.mark.processes


class TestDatabase:
    def test_one_that_was_never_upgraded(
        self, artifacts: Command, healthy: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "empty.db").touch()
        monkeypatch.setenv("ARTIFACTS_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
        answer = artifacts("doctor", "--json")
        # Then the platform's own migrations come first
        assert answer.status == Severity.ERROR
        assert found(answer) == {
            "error platform columns": "run the platform's own migrations: `alembic upgrade head`",
            "error database version": "artifacts db upgrade",
        }
        assert "no table jobs, no table runs" in answer.out
        assert healthy

    def test_one_whose_platform_is_at_an_older_revision(
        self, artifacts: Command, healthy: Shelf
    ) -> None:
        with healthy.engine.begin() as connection:
            connection.execute(text("ALTER TABLE runs DROP COLUMN config_url"))
        answer = artifacts("doctor", "--json")
        assert answer.status == Severity.ERROR
        assert list(found(answer)) == ["error platform columns"]
        assert "no column runs.config_url" in answer.out

    @pytest.mark.parametrize(
        ("version", "fix"),
        [
            ("0001", "artifacts db upgrade"),
            ("9999", "install the version of artifact-pipeline that made 9999, or a newer one"),
        ],
    )
    def test_one_of_another_version(
        self, artifacts: Command, healthy: Shelf, version: str, fix: str
    ) -> None:
        with healthy.engine.begin() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'"))  # noqa: S608
        assert found(artifacts("doctor", "--json")) == {"error database version": fix}

    def test_one_that_is_away(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = f"postgresql+psycopg://me:hunter2@127.0.0.1:{free_port()}/platform"
        monkeypatch.setenv("ARTIFACTS_DATABASE_URL", url)
        answer = artifacts("doctor", "--json")
        assert list(found(answer)) == ["error database"]
        assert "hunter2" not in answer.out + answer.err
        assert healthy

    def test_one_that_may_only_be_read(
        self,
        artifacts: Command,
        healthy: Shelf,
        fresh_postgres_url: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # Given a database that knows the workspace
        monkeypatch.setenv("ARTIFACTS_DATABASE_URL", fresh_postgres_url)
        assert artifacts("workspace", "init", "--adopt").status == 0
        # And a role that may not write
        with role(fresh_postgres_url) as url, connect(fresh_postgres_url) as owner:
            name = make_url(url).username
            owner.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}"))
            monkeypatch.setenv("ARTIFACTS_DATABASE_URL", url)
            # When
            answer = artifacts("doctor", "--json")
            # Then the statements are there that give what is missing
            assert answer.status == Severity.ERROR
            assert list(found(answer)) == ["error database grants"]
            statements = found(answer)["error database grants"]
            assert f"GRANT INSERT, UPDATE, DELETE ON public.transfers TO {name}" in statements
            written = "config_location, input_location, updated_at"
            assert f"GRANT UPDATE ({written}) ON public.jobs TO {name}" in statements
            # And when they are executed, nothing is found
            owner.execute(text(statements))
            assert artifacts("doctor").status == Severity.OK
        assert healthy

    def test_one_of_which_nothing_may_be_read(
        self,
        artifacts: Command,
        healthy: Shelf,
        fresh_postgres_url: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with role(fresh_postgres_url) as url:
            monkeypatch.setenv("ARTIFACTS_DATABASE_URL", url)
            assert list(found(artifacts("doctor", "--json"))) == ["error database grants"]
        assert healthy

    def test_malformed_transfers_of_another_program(
        self, artifacts: Command, healthy: Shelf
    ) -> None:
        # Given rows that are older than the constraints
        with healthy.engine.begin() as connection:
            connection.execute(text("DROP TRIGGER transfers_run_fits_kind_inserted"))
            for number in range(1, 8):
                connection.execute(
                    text(
                        "INSERT INTO transfers (id, request_id, job_id, kind, direction, state,"
                        " attempts, fence, requested_at, next_attempt_at) VALUES (:id, :id, 12,"
                        " 'run_logs', 'upload', 'cancelled', 0, 0, '2025-10-23 21:15:00.000000',"
                        " '2025-10-23 21:15:00.000000')"
                    ),
                    {"id": 100 + number},
                )
        # When
        answer = artifacts("doctor", "--json")
        # Then
        assert answer.status == Severity.ERROR
        (fix,) = found(answer).values()
        assert fix.endswith("DELETE FROM transfers WHERE id IN (101, 102, 103, 104, 105)")
        assert "transfers 101, 102, 103, 104, 105, …: kind, run_id, job_id or" in str(answer.json)

    def test_a_url_that_is_wrong(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARTIFACTS_DATABASE_URL", "sqlite:////tmp/x.db?timeout=hunter")
        answer = artifacts("doctor", "--json")
        assert list(found(answer)) == ["error database"]
        assert "ARTIFACTS_DATABASE_URL" in answer.out
        assert healthy


@contextmanager
def connect(url: str) -> Iterator[Connection]:
    engine = make_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection
    engine.dispose()
