"""A database that the platform's own migrations have made stays the platform's."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Engine, inspect, text

from artifact_pipeline.domain.model.artifacts import Artifact, Scheme
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.worker.composition.producer import Producer
from artifact_pipeline.worker.embedded.stack import BUCKET, EmbeddedStack
from artifact_pipeline.worker.settings import ProducerSettings, load
from artifact_pipeline.worker.sql.engine import make_engine
from tests import preloaded
from tests.cli.commands import bare_environment
from tests.integration.deployment import Deployment
from tests.integration.platform import Client, Platform
from tests.sql.platform_ddl import make_platform

PLATFORMS = {"alembic_version", "jobs", "runs", "users"}
PIPELINES = {
    *("artifacts", "transfers", "batches", "batch_members", "s3_endpoints"),
    *("workspaces", "workspace_failures", "artifacts_alembic_version"),
    *("operator_actions", "operator_action_jobs", "legal_holds", "tombstones"),
    *("upkeep", "manifests", "artifact_retention_rules", "audit_progress"),
    *("artifact_events", "event_target_failures"),
}
OLD_KEY = "jobs/12/2025/10/24/080000/job_config.json"
ROWS = """
UPDATE jobs SET tags = '["a"]', config_location =
    'https://artifacts.s3.amazonaws.com/jobs/12/2025/10/24/080000/job_config.json?X-Amz-Signature=0'
    WHERE id = 12;
INSERT INTO jobs (id, user_id, tags, status, created_at, updated_at, job_metadata)
    VALUES (13, 7, '{"team": "blue"}', 'PROCESSING', '2025-10-23 21:15:00.250000',
            '2025-10-23 21:15:00.250000', '{"b": [1.5, null]}');
INSERT INTO runs (id, job_id, user_id, created_at, updated_at, request, pod_phase, status,
                  user_deleted, epx_client_version)
    VALUES (5, 13, 7, '2025-10-23 21:16:00.000000', '2025-10-23 21:16:00.000000', '{"c": 1}',
            'RUNNING', 'RUNNING', 0, '1.2.2'),
           (6, 13, 7, '2025-10-23 21:17:00.000000', '2025-10-23 21:17:00.000000', '{}',
            'PENDING', 'QUEUED', 0, '1.2.2')
"""
_POSTGRES_SCHEMA = (
    """SELECT table_name, column_name, ordinal_position, data_type, udt_name, is_nullable,
       column_default, character_maximum_length FROM information_schema.columns
       WHERE table_schema = 'public' ORDER BY 1, 3""",
    """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
       WHERE conrelid <> 0 AND connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    """SELECT tablename, indexname, indexdef FROM pg_indexes
       WHERE schemaname = 'public' ORDER BY 1, 2""",
    """SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
       WHERE NOT tgisinternal ORDER BY 1, 2""",
)
_POSTGRES_TYPES = """SELECT typname, enumlabel, enumsortorder FROM pg_enum
                     JOIN pg_type ON pg_type.oid = enumtypid ORDER BY 1, 3"""
_SQLITE_SCHEMA = ("SELECT tbl_name, type, name, sql FROM sqlite_master ORDER BY 1, 2, 3",)


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    """Of the platform's database."""
    engine = make_engine(empty_url)
    make_platform(engine)
    with engine.begin() as connection:
        for statement in ROWS.split(";"):
            connection.exec_driver_sql(statement)
    yield engine
    engine.dispose()


@dataclass(frozen=True)
class Snapshot:
    """The platform's part of a database."""

    schema: list[Any]
    rows: dict[tuple[str, Any], dict[str, Any]]

    @classmethod
    def of(cls, engine: Engine) -> "Snapshot":
        is_postgres = engine.dialect.name == "postgresql"
        with engine.connect() as connection:
            queries = _POSTGRES_SCHEMA if is_postgres else _SQLITE_SCHEMA
            described = [row for query in queries for row in connection.execute(text(query))]
            schema = [tuple(row) for row in described if row[0].split(".")[-1] in PLATFORMS]
            if is_postgres:
                schema += [tuple(row) for row in connection.execute(text(_POSTGRES_TYPES))]
            rows = {
                (table, row[0]): dict(row._mapping)
                for table in PLATFORMS
                for row in connection.execute(text(f"SELECT * FROM {table}"))  # noqa: S608 - ours
            }
        return cls(schema, rows)

    def changed_since(self, before: "Snapshot") -> dict[tuple[str, Any], set[str]]:
        """By row, the columns that have another value."""
        assert self.rows.keys() == before.rows.keys()
        pairs = {at: (before.rows[at], row) for at, row in self.rows.items()}
        return {
            at: {name for name in now if now[name] != then[name]}
            for at, (then, now) in pairs.items()
            if now != then
        }


def upgrade(url: str) -> None:
    """By the command, as an operator does."""
    env = {**bare_environment(), "ARTIFACTS_DATABASE_URL": url}
    assert preloaded.run_command(["db", "upgrade"], env).status == 0


def test_db_upgrade_adds_only_the_pipelines_tables(engine: Engine, empty_url: str) -> None:
    before = Snapshot.of(engine)
    assert before.schema

    upgrade(empty_url)
    upgrade(empty_url)

    assert set(inspect(engine).get_table_names()) == PLATFORMS | PIPELINES
    assert Snapshot.of(engine) == before


def test_the_worker_changes_what_tells_of_artifacts_and_nothing_else(
    engine: Engine, empty_url: str, tmp_path: Path
) -> None:
    # Given the platform's database, and a worker on it
    upgrade(empty_url)
    before = Snapshot.of(engine)
    with EmbeddedStack(tmp_path, empty_url) as stack:
        deployment = Deployment(stack)
        stack.start_worker("--concurrency", "2")

        # When artifacts of every kind are uploaded, one by a client, and an old one is relocated
        # and downloaded
        upload_each_kind(deployment, job_id=13, run_id=5)
        upload_by_url(deployment, job_id=13, run_id=6)
        relocate_and_download(deployment, job_id=12)

    # Then the schema is the platform's still, and only what tells where artifacts are has changed
    after = Snapshot.of(engine)
    assert after.schema == before.schema
    assert after.changed_since(before) == {
        ("jobs", 12): {"config_location", "updated_at"},
        ("jobs", 13): {"config_location", "input_location", "updated_at"},
        ("runs", 5): {"config_url", "status", "results_url", "results_uploaded_at", "updated_at"},
        ("runs", 6): {"config_url", "updated_at"},
    }
    assert after.rows["runs", 5]["status"] == "DONE"
    # And the platform's columns have permanent URLs of the one directory
    for at, column, key in (
        (("jobs", 12), "config_location", "jobs/12/2025/10/23/211500/job_config.json"),
        (("jobs", 13), "config_location", "jobs/13/2025/10/23/211500/job_config.json"),
        (("jobs", 13), "input_location", "jobs/13/2025/10/23/211500/job_input.zip"),
        (("runs", 5), "config_url", "jobs/13/2025/10/23/211500/run_5_config.json"),
        (("runs", 5), "results_url", "jobs/13/2025/10/23/211500/run_5_results.zip"),
        (("runs", 6), "config_url", "jobs/13/2025/10/23/211500/run_6_config.json"),
    ):
        assert after.rows[at][column].endswith(f"/{key}")


def upload_each_kind(deployment: Deployment, job_id: int, run_id: int) -> None:
    for kind in ArtifactKind:
        artifact = Artifact(kind, job_id, run_id if kind.belongs_to_run else None)
        deployment.write(artifact)
        deployment.send(artifact)
    for kind in ArtifactKind:
        artifact = Artifact(kind, job_id, run_id if kind.belongs_to_run else None)
        stored = deployment.stored(artifact)
        assert stored.object.key.startswith(f"jobs/{job_id}/2025/10/23/211500/")


def upload_by_url(deployment: Deployment, job_id: int, run_id: int) -> None:
    stack = deployment.stack
    with patch.dict("os.environ", stack.settings()):
        app = producer_app(stack.broker.url)
        platform = Platform(stack.engine, Producer(load(ProducerSettings), app), app)
        with platform.controller() as controller:
            url = controller.submit_run_config(job_id, run_id).url
        assert Client().put(url, b"{}") == 200
        with platform.controller() as controller:
            controller.confirm_upload(job_id, run_id)
    ended = deployment.ended(Artifact(ArtifactKind.RUN_CONFIG, job_id, run_id), Direction.CONFIRM)
    assert ended.state is TransferState.DONE, ended


def relocate_and_download(deployment: Deployment, job_id: int) -> None:
    artifact = Artifact(ArtifactKind.JOB_CONFIG, job_id)
    deployment.stack.client().put_object(Bucket=BUCKET, Key=OLD_KEY, Body=b"old")
    deployment.foreign.send_task(
        "artifacts.relocate_job", kwargs={"job_id": job_id}, queue="upkeep"
    )
    ended = deployment.ended(artifact, Direction.RELOCATE)
    assert ended.state is TransferState.DONE, ended
    stored = deployment.artifacts.find(artifact)
    assert stored is not None
    assert stored.scheme is Scheme.PREFIX
    deployment.foreign.send_task(
        "artifacts.download_job_config", kwargs={"job_id": job_id}, queue="configs"
    )
    ended = deployment.ended(artifact, Direction.DOWNLOAD)
    assert ended.state is TransferState.DONE, ended
    downloaded = deployment.stack.workspace / f"job_{job_id}" / "job_config.json"
    assert downloaded.read_bytes() == b"old"
