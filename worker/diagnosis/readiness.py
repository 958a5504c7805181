"""Whether all that a worker needs can be used, by the settings of the environment."""

# Each part is imported when it is asked about: a probe of the database needs no Celery and no S3.
# ruff: noqa: PLC0415

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from artifact_pipeline.domain.errors import (
    AccessDeniedError,
    BucketMissingError,
    ConfigurationError,
    RefusedByStoreError,
    UnsupportedByStoreError,
)
from artifact_pipeline.worker.lifecycle.start_parts import SHARE
from artifact_pipeline.worker.settings import (
    BrokerSettings,
    BucketSettings,
    DatabaseSettings,
    DownloadSettings,
    WorkerSettings,
    WorkspaceSettings,
    load,
)

if TYPE_CHECKING:
    from celery import Celery
    from sqlalchemy import Engine

# A server that takes longer is away; it is asked three times.
_S3_TIMEOUT_SECONDS = 5.0
_REFUSALS = (AccessDeniedError, BucketMissingError, RefusedByStoreError, UnsupportedByStoreError)


def _app() -> "Celery":
    from artifact_pipeline.worker.diagnosis.broker import fail_fast_app

    return fail_fast_app(load(BrokerSettings).broker)


@contextmanager
def _engine(settings: DatabaseSettings | None = None) -> "Iterator[Engine]":
    from artifact_pipeline.worker.diagnosis.database import opened

    with opened(settings or load(DatabaseSettings)) as engine:
        yield engine


def _broker() -> None:
    from artifact_pipeline.worker.diagnosis.broker import reach_broker

    reach_broker(_app())


def _broker_of_worker() -> None:
    from artifact_pipeline.worker.diagnosis.broker import reach_broker_of_worker

    reach_broker_of_worker(_app())


def refused_messages() -> int:
    """Return how many dead letters are kept. Raises: BrokerUnavailableError."""
    from artifact_pipeline.tasks.dead_letters import count_dead_letters
    from artifact_pipeline.tasks.publish import broker_channel

    with broker_channel(_app()) as channel:
        return count_dead_letters(channel)


def _database() -> None:
    from artifact_pipeline.worker.diagnosis.database import reach_database

    with _engine() as engine:
        reach_database(engine)


def _bucket() -> None:
    settings = load(BucketSettings)
    if settings.store:
        from artifact_pipeline.worker.diagnosis.file_store import reach_store

        reach_store(settings.stores[0])
    else:
        _s3(settings)


def _s3(settings: BucketSettings) -> None:
    from botocore.exceptions import ClientError

    from artifact_pipeline.worker.composition.clients import bucket_client
    from artifact_pipeline.worker.diagnosis.bucket import reach_bucket

    client = bucket_client(settings, read_timeout_seconds=_S3_TIMEOUT_SECONDS)
    with closing(client):
        try:
            reach_bucket(client, settings.bucket)
        except _REFUSALS as refused:
            if not isinstance(refused.__cause__, ClientError):
                raise  # S3 was not asked
            raise type(refused)(
                f"ARTIFACTS_BUCKET={settings.bucket}: {refused}. Check the bucket's name, the"
                " credentials, and their policy (docs/iam)"
            ) from refused


def _directory() -> None:
    from artifact_pipeline.worker.diagnosis.workspace import reach_directory

    reach_directory(load(WorkspaceSettings).workspace)


def _workspace() -> None:
    from artifact_pipeline.worker.diagnosis.workspace import reach_directory, reach_workspace
    from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces

    settings = load(WorkspaceSettings)
    reach_directory(settings.workspace)
    with _engine() as engine:
        workspaces = SqlWorkspaces(engine, name=settings.workspace_name)
        reach_workspace(settings.workspace, workspaces)


def _share() -> None:
    """Wait for the share, if the database knows a workspace; mark a tree that is in use."""
    from artifact_pipeline.worker.composition.workspaces import workspace_check
    from artifact_pipeline.worker.diagnosis.workspace import await_workspace

    settings = load(WorkerSettings)
    with _engine(settings) as engine:
        await_workspace(workspace_check(settings, engine))


def _backlog() -> None:
    from artifact_pipeline.worker.diagnosis.backlog import reach_backlog

    app = _app()
    with _engine() as engine:
        reach_backlog(engine, app)


_PARTS: Mapping[str, Callable[[], None]] = {
    "broker": _broker,
    "database": _database,
    "bucket": _bucket,
}

REACH: Mapping[str, Callable[[], None]] = {
    **_PARTS,
    "workspace": _workspace,
    "backlog": _backlog,
}
"""Each raises a PipelineError that says why it does not answer, or stands still."""

START: Mapping[str, Callable[[], None]] = {
    "workspace": _directory,
    **_PARTS,
    "broker": _broker_of_worker,
    SHARE: _share,
}
"""All that a worker must have before it takes a message, the quickest to answer first.

The backlog is not among them: it waits for workers to start.
"""


def part_name(part: str) -> str:
    """Return the name that users see: a directory is no bucket."""
    with suppress(ConfigurationError):  # which the part itself reports
        return "store" if part == "bucket" and load(BucketSettings).store else part
    return part


def start_parts() -> Mapping[str, Callable[[], None]]:
    """Return `START` by the names that users see."""
    return {part_name(part): reach for part, reach in START.items()}


def has_workspace() -> bool:
    """Return whether this environment names a workspace, as a producer's does not."""
    return load(DownloadSettings).workspace is not None
