"""Every part of a deployment, examined one after the other."""

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import suppress
from functools import partial

from pydantic_settings import BaseSettings

from artifact_pipeline.domain.errors import ConfigurationError, PipelineError
from artifact_pipeline.domain.redaction import hide_credentials, redact
from artifact_pipeline.worker.diagnosis.backlog import examine_backlog
from artifact_pipeline.worker.diagnosis.broker import examine_broker, fail_fast_app
from artifact_pipeline.worker.diagnosis.database import examine_database, opened
from artifact_pipeline.worker.diagnosis.file_store import examine_store
from artifact_pipeline.worker.diagnosis.findings import Finding, error
from artifact_pipeline.worker.diagnosis.workspace import examine_workspace
from artifact_pipeline.worker.settings import (
    BrokerSettings,
    BucketSettings,
    DatabaseSettings,
    WorkerSettings,
    WorkspaceSettings,
    load,
)
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces


class _BacklogSettings(DatabaseSettings, BrokerSettings):
    """What the backlog is read from."""


class _WorkspaceSettings(WorkspaceSettings, DatabaseSettings):
    """What the workspace is known by."""


def examine_deployment(
    only: Collection[str] = (), *, with_probe: bool = False
) -> Generator[Finding]:
    """Examine the settings of a worker, and every part whose own settings are good.

    Args:
        only: the names of the parts that are examined, and whose settings; by default all.
        with_probe: also write to the bucket, to see what the store does.
    """
    if not only:
        yield from _settings(WorkerSettings)
    for name, settings, examine in _PARTS:
        if only and name not in only:
            continue
        if only:
            yield from _settings(settings)
        with suppress(ConfigurationError):  # reported with the settings
            yield from _examined(name, partial(examine, load(settings)))
    if with_probe:
        with suppress(ConfigurationError):
            yield from _examined("probe", partial(_probe, load(BucketSettings)))


def _settings(settings: type[BaseSettings]) -> Iterator[Finding]:
    try:
        load(settings)
    except ConfigurationError as wrong:
        yield error(
            "settings",
            str(wrong),
            why="no worker starts, and what these settings name is not examined",
            fix="correct them, and run `artifacts doctor` again",
        )


def _broker(settings: BrokerSettings) -> Iterator[Finding]:
    yield from examine_broker(fail_fast_app(settings.broker), settings.broker)


def _database(settings: DatabaseSettings) -> Iterator[Finding]:
    with opened(settings) as engine:
        yield from examine_database(engine)


def _bucket(settings: BucketSettings) -> Iterator[Finding]:
    if settings.store:
        yield from examine_store(settings.stores[0])
        return
    # Only here: a store of files needs no boto3.
    from artifact_pipeline.worker.diagnosis.s3_store import examine_s3_store  # noqa: PLC0415

    yield from examine_s3_store(settings)


def _probe(settings: BucketSettings) -> Iterator[Finding]:
    if settings.store:
        return  # every examination of a directory writes to it
    from artifact_pipeline.worker.diagnosis.s3_store import probe_s3_store  # noqa: PLC0415

    yield from probe_s3_store(settings)


def _workspace(settings: _WorkspaceSettings) -> Iterator[Finding]:
    try:
        with opened(settings) as engine:
            yield from examine_workspace(
                settings.workspace, SqlWorkspaces(engine, name=settings.workspace_name)
            )
    except ConfigurationError:  # the examination of the database reports it
        yield from examine_workspace(settings.workspace, None)


def _backlog(settings: _BacklogSettings) -> Iterator[Finding]:
    # The examinations of broker and database report a wrong URL.
    with suppress(ConfigurationError), opened(settings) as engine:
        yield from examine_backlog(engine, fail_fast_app(settings.broker))


_PARTS: Sequence[tuple[str, type[BaseSettings], Callable[..., Iterator[Finding]]]] = (
    ("broker", BrokerSettings, _broker),
    ("database", DatabaseSettings, _database),
    ("bucket", BucketSettings, _bucket),
    ("workspace", _WorkspaceSettings, _workspace),
    ("backlog", _BacklogSettings, _backlog),
)


def _examined(name: str, examine: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Examine a part; that it cannot be examined is a finding, and no error."""
    try:
        yield from examine()
    except PipelineError as wrong:
        what = hide_credentials(str(wrong))
        yield _unexamined(name, what, "correct that, and run `artifacts doctor` again")
    except Exception as unknown:  # noqa: BLE001 - the other parts may be what is wrong
        what = redact(f"{type(unknown).__name__}: {unknown}")
        yield _unexamined(name, what, "look at the settings of this part, and at its log")


def _unexamined(name: str, what: str, fix: str) -> Finding:
    return error(name, what, why="it cannot be used, nor examined any further", fix=fix)
