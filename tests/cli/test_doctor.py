"""`artifacts doctor`: each fault is found, explained, and comes with what mends it."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber
from sqlalchemy import Connection, make_url, text

from domain.transfers import TransferState
from tasks.app import make_app
from tasks.last_dispatch import note_dispatch
from tests.cli.commands import Answer, Command
from tests.cli.shelf import CONFIG, Shelf
from tests.databases import role
from tests.sql.status_steps import Rows
from worker.diagnosis.bucket import examine_bucket
from worker.diagnosis.findings import Finding, Severity, clock
from worker.embedded.servers import Valkey, free_port
from worker.sql.endpoints import SqlEndpointFailures
from worker.sql.engine import make_engine
from worker.sql.version import VERSION_TABLE

ABORT = {
    "ID": "abandoned-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": "jobs/"},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 14},
}
KMS_KEY = "11111111-2222-3333-4444-555555555555"
EXPIRE = {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}}


@pytest.fixture
def healthy(
    queues: Valkey,
    shelf: Shelf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_workers: None,  # noqa: ARG001 - a fixture
) -> Shelf:
    """A deployment in which nothing is to be found."""
    note_dispatch(datetime.now(UTC), make_app(queues.url))
    monkeypatch.setenv("ARTIFACTS_WORKSPACE", str(tmp_path))
    set_lifecycle(shelf, ABORT)
    shelf.record(CONFIG, b"something to read")
    return shelf


def set_lifecycle(shelf: Shelf, rule: Mapping[str, Any]) -> None:
    configuration: Any = {"Rules": [rule]}
    shelf.client.put_bucket_lifecycle_configuration(
        Bucket=shelf.bucket, LifecycleConfiguration=configuration
    )


def found(answer: Answer) -> dict[str, str]:
    """What is not as it should be, with what mends it."""
    for finding in answer.json:
        assert (finding["severity"] == "ok") == (finding["why"] == "") == (finding["mend"] == "")
    return {
        f"{finding['severity']} {finding['check']}": finding["mend"]
        for finding in answer.json
        if finding["severity"] != "ok"
    }


def test_where_nothing_is_wrong_it_says_what_it_has_looked_at(
    artifacts: Command, healthy: Shelf
) -> None:
    # When
    answer = artifacts("doctor")
    # Then
    assert (answer.status, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert [line[9:].split(":")[0] for line in lines] == [
        *("visibility timeout", "broker", "broker eviction", "broker persistence", "broker clock"),
        *("database", "database clock", "platform columns", "database version", "database grants"),
        *("bucket", "S3 clock", "bucket reading", "bucket encryption", "bucket lifecycle"),
        "workspace",
        *("dispatch", "workers", "backlog", "S3 breaker", "quarantine"),
    ]
    assert healthy.bucket in answer.out


class TestBroker:
    @pytest.fixture
    def configured(self, queues: Valkey) -> Iterator[Callable[[str, str], None]]:
        """Sets what is set back afterwards."""
        with queues.client() as client:
            before = {name: client.config_get(name)[name] for name in ("maxmemory-policy",)}
            yield client.config_set
            for name, value in {**before, "appendonly": "yes"}.items():
                client.config_set(name, value)

    def test_one_that_throws_messages_away(
        self, artifacts: Command, healthy: Shelf, configured: Callable[[str, str], None]
    ) -> None:
        configured("maxmemory-policy", "allkeys-lru")
        answer = artifacts("doctor", "--json")
        assert answer.status == Severity.ERROR
        assert list(found(answer)) == ["error broker eviction"]
        assert "CONFIG SET maxmemory-policy noeviction" in found(answer)["error broker eviction"]
        assert healthy

    def test_one_that_forgets_with_a_restart(
        self, artifacts: Command, healthy: Shelf, configured: Callable[[str, str], None]
    ) -> None:
        configured("appendonly", "no")
        answer = artifacts("doctor", "--json")
        assert answer.status == Severity.WARNING
        assert list(found(answer)) == ["warning broker persistence"]
        assert healthy

    def test_one_that_is_away(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = f"redis://:hunter2@127.0.0.1:{free_port()}/0"
        monkeypatch.setenv("ARTIFACTS_BROKER_URL", url)
        answer = artifacts("doctor", "--json")
        assert answer.status == Severity.ERROR
        # And all the rest is looked at all the same
        assert list(found(answer)) == ["error broker"]
        assert "hunter2" not in answer.out + answer.err
        assert healthy

    def test_a_message_that_would_come_again_while_its_task_runs(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("worker.diagnosis.examination.impatient_app", _redelivering)
        answer = artifacts("doctor", "--json")
        assert list(found(answer)) == ["error visibility timeout"]
        assert healthy


def _redelivering(url: str) -> Any:
    from worker.diagnosis.broker import impatient_app  # noqa: PLC0415 - the real one

    app = impatient_app(url)
    app.conf.broker_transport_options["visibility_timeout"] = 60
    return app


class TestDatabase:
    def test_one_that_was_never_upgraded(
        self, artifacts: Command, healthy: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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
        ("version", "mend"),
        [("0001", "artifacts db upgrade"), ("9999", "pip install --upgrade artifact-pipeline")],
    )
    def test_one_of_another_version(
        self, artifacts: Command, healthy: Shelf, version: str, mend: str
    ) -> None:
        with healthy.engine.begin() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'"))  # noqa: S608
        assert found(artifacts("doctor", "--json")) == {"error database version": mend}

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
        # Given
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
            assert f"GRANT INSERT, UPDATE ON public.transfers TO {name}" in statements
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


class TestBucket:
    def test_a_profile_that_is_not_there(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        monkeypatch.setenv("AWS_PROFILE", "prod-x")
        # When
        answer = artifacts("doctor", "--json")
        # Then all the rest is looked at all the same
        assert answer.status == Severity.ERROR
        assert list(found(answer)) == ["error bucket"]
        assert "AWS_PROFILE=prod-x: no such profile" in answer.out
        assert {"broker", "database", "workspace"} <= {each["check"] for each in answer.json}
        assert healthy

    def test_one_whose_examination_fails_in_a_way_that_nobody_thought_of(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> Iterator[Finding]:
            raise RuntimeError("https://user:hunter2@host/")

        monkeypatch.setattr("worker.diagnosis.examination.examine_bucket", fail)
        answer = artifacts("doctor", "--json")
        assert list(found(answer)) == ["error bucket"]
        assert "hunter2" not in answer.out + answer.err
        assert {"broker", "database", "workspace"} <= {each["check"] for each in answer.json}
        assert healthy

    def test_one_that_is_not_there(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARTIFACTS_BUCKET", "nobodys")
        answer = artifacts("doctor", "--json")
        assert list(found(answer)) == ["error bucket"]
        assert healthy

    def test_one_that_keeps_abandoned_parts(self, artifacts: Command, healthy: Shelf) -> None:
        healthy.client.delete_bucket_lifecycle(Bucket=healthy.bucket)
        answer = artifacts("doctor", "--json")
        assert answer.status == Severity.WARNING
        mend = found(answer)["warning bucket lifecycle"]
        assert mend.startswith("aws s3api put-bucket-lifecycle-configuration --bucket ")

    @pytest.mark.parametrize(
        "rule", [EXPIRE | {"Expiration": {"Days": 30}}, ABORT | {"Status": "Disabled"}]
    )
    def test_rules_that_are_there_are_not_replaced(
        self, artifacts: Command, healthy: Shelf, rule: Mapping[str, Any]
    ) -> None:
        set_lifecycle(healthy, rule)
        mend = found(artifacts("doctor", "--json"))["warning bucket lifecycle"]
        assert "put-bucket" not in mend

    def test_what_s3_refuses_to_tell_is_no_finding_but_a_question(self, healthy: Shelf) -> None:
        with answering(
            healthy,
            head_object="403",
            get_bucket_encryption="AccessDenied",
            get_bucket_lifecycle_configuration="AccessDenied",
        ) as client:
            findings = {each.check: each for each in examine_bucket(client, healthy.bucket)}
        assert findings["bucket reading"].severity is Severity.ERROR
        assert "s3:GetObject" in findings["bucket reading"].mend
        assert findings["bucket encryption"].severity is Severity.WARNING
        assert "s3:GetEncryptionConfiguration" in findings["bucket encryption"].mend
        assert "s3:GetLifecycleConfiguration" in findings["bucket lifecycle"].mend

    def test_one_that_does_not_encrypt_by_itself(self, healthy: Shelf) -> None:
        code = "ServerSideEncryptionConfigurationNotFoundError"
        with answering(healthy, get_bucket_encryption=code) as client:
            findings = {each.check: each for each in examine_bucket(client, healthy.bucket)}
        assert findings["bucket encryption"].severity is Severity.WARNING
        assert "put-bucket-encryption" in findings["bucket encryption"].mend

    def test_one_that_encrypts_clients_uploads_by_another_key(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a bucket that encrypts by S3's own keys, and workers that ask for one of KMS
        monkeypatch.setenv("ARTIFACTS_SSE", "aws:kms")
        monkeypatch.setenv("ARTIFACTS_KMS_KEY_ID", KMS_KEY)
        # When
        mend = found(artifacts("doctor", "--json"))["warning bucket encryption"]
        # Then it says how the default becomes that key, and it does
        command, _, setting = mend.partition(", or set ")
        assert setting == "ARTIFACTS_URL_SIGNS_ENCRYPTION=true"
        *_, rules = shlex.split(command)
        healthy.client.put_bucket_encryption(
            Bucket=healthy.bucket, ServerSideEncryptionConfiguration=json.loads(rules)
        )
        assert found(artifacts("doctor", "--json")) == {}

    def test_where_urls_sign_the_encryption_its_default_does_not_matter(
        self, artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARTIFACTS_SSE", "aws:kms")
        monkeypatch.setenv("ARTIFACTS_KMS_KEY_ID", KMS_KEY)
        monkeypatch.setenv("ARTIFACTS_URL_SIGNS_ENCRYPTION", "true")
        assert found(artifacts("doctor", "--json")) == {}
        assert healthy


@contextmanager
def answering(shelf: Shelf, **codes: str) -> Iterator[Any]:
    """An S3 that lists one object, and answers the rest with those errors, or with nothing."""
    with Stubber(shelf.client) as stub:
        now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        metadata = {"HTTPHeaders": {"date": now}, "HTTPStatusCode": 200}
        listed = {"Contents": [{"Key": "jobs/1/x"}], "ResponseMetadata": metadata}
        stub.add_response("list_objects_v2", listed)
        for method in (
            "head_object",
            "get_bucket_encryption",
            "get_bucket_lifecycle_configuration",
        ):
            if method in codes:
                stub.add_client_error(method, codes[method], http_status_code=403)
            else:
                stub.add_response(method, {})
        yield shelf.client


def test_a_workspace_that_cannot_be_written(
    artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTIFACTS_WORKSPACE", "/proc")  # not even by root
    answer = artifacts("doctor", "--json")
    assert answer.status == Severity.ERROR
    assert list(found(answer)) == ["error workspace"]
    assert healthy


def test_a_workspace_that_is_full(
    artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.diagnosis.workspace._LEAST_FREE", 1 << 60)
    answer = artifacts("doctor", "--json")
    assert list(found(answer)) == ["warning workspace room"]
    assert healthy


def test_wrong_settings_are_named_and_the_other_parts_examined(
    artifacts: Command, healthy: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_BUCKET", "x")
    monkeypatch.delenv("ARTIFACTS_WORKSPACE")
    # When
    answer = artifacts("doctor", "--json")
    # Then
    assert answer.status == Severity.ERROR
    assert list(found(answer)) == ["error settings"]
    assert "ARTIFACTS_BUCKET: " in answer.json[0]["what"]
    assert "ARTIFACTS_WORKSPACE: Field required" in answer.json[0]["what"]
    examined = {each["check"] for each in answer.json}
    assert {"broker", "database", "backlog"} <= examined
    assert not {"bucket", "workspace"} & examined
    assert healthy


@pytest.mark.parametrize(
    ("ahead", "severity"),
    [(0, Severity.OK), (4, Severity.OK), (-60, Severity.WARNING), (60, Severity.WARNING)],
)
def test_a_clock_that_is_elsewhere_is_noticed(ahead: int, severity: Severity) -> None:
    finding = clock("a clock", datetime.now(UTC) + timedelta(seconds=ahead))
    assert finding.severity is severity


class TestBacklog:
    @pytest.fixture
    def rows(self, healthy: Shelf) -> Rows:
        return Rows(healthy.engine)

    def test_requests_that_nothing_does(
        self, artifacts: Command, queues: Valkey, rows: Rows
    ) -> None:
        # Given 13,002 requests for twenty minutes, and neither a worker nor beat
        with queues.client() as client:
            client.flushall()
        rows.outstanding()
        # When
        answer = artifacts("doctor", "--json")
        # Then
        assert answer.status == Severity.ERROR
        problems = [each for each in answer.json if each["severity"] == "error"]
        assert [each["check"] for each in problems] == ["dispatch", "workers", "workers"]
        assert "6,501 transfers due for 20m" in problems[1]["what"]
        assert problems[1]["mend"].endswith("--queues configs")
        assert problems[2]["mend"].endswith("--queues results")

    def test_a_dispatch_of_long_ago(self, artifacts: Command, queues: Valkey, rows: Rows) -> None:
        note_dispatch(rows.now - timedelta(minutes=20), make_app(queues.url))
        answer = artifacts("doctor", "--json")
        assert list(found(answer)) == ["error dispatch"]
        assert "no dispatch for 20m" in answer.out

    def test_failures_of_the_last_hour(self, artifacts: Command, rows: Rows) -> None:
        hour = timedelta(hours=1)
        rows.add(TransferState.QUARANTINED, finished_at=2 * hour, reason_code="source_missing")
        assert found(artifacts("doctor", "--json")) == {}
        rows.add(TransferState.QUARANTINED, finished_at=hour / 2, reason_code="access_denied")
        answer = artifacts("doctor", "--json")
        assert found(answer) == {
            "warning quarantine": "artifacts quarantine list --reason access_denied --newer-than 1h"
        }

    def test_an_open_breaker(self, artifacts: Command, rows: Rows) -> None:
        failing = SqlEndpointFailures(rows.engine, timedelta(hours=1))
        for _ in range(5):
            failing.count("s3.example.com")
        assert list(found(artifacts("doctor", "--json"))) == ["warning S3 breaker"]
