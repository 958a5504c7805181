"""What the commands work with: imported when a command runs, for its help needs none of it."""

# The imports are in the functions: see above.
# ruff: noqa: PLC0415

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery import Celery

    from domain.artifacts import Artifact
    from worker.adapters import Adapters
    from worker.batches import Batches
    from worker.cli.database import Database


def adapters() -> "Adapters":
    """Return what moves something in the bucket from this process. Raises: ConfigurationError."""
    from worker.adapters import Adapters
    from worker.settings import OperatorSettings, load

    return Adapters(load(OperatorSettings), owner=f"command:{socket.gethostname()}:{os.getpid()}")


def database() -> "Database":
    """Return what SQL has. Raises: ConfigurationError."""
    from worker.cli.database import Database
    from worker.settings import DatabaseSettings, load

    return Database(load(DatabaseSettings).database_url)


def batches() -> "Batches":
    """Return the batches in SQL. Raises: ConfigurationError."""
    from worker.batches import Batches
    from worker.settings import BatchSettings, load
    from worker.sql.batch_snapshots import Parts

    settings = load(BatchSettings)
    return Batches(
        database().engine,
        _broker(),
        parts=Parts(settings.multipart_threshold, settings.part_size),
        has_source=_has_source(),
    )


def _broker() -> "Celery | None":
    from domain.errors import ConfigurationError
    from tasks.app import producer_app
    from worker.settings import BrokerSettings, load

    try:
        return producer_app(load(BrokerSettings).broker_url)
    except ConfigurationError:
        return None  # the next sweep notices what is changed


def _has_source() -> "Callable[[Artifact], bool] | None":
    from domain.errors import ConfigurationError
    from worker.settings import WorkspaceSettings, load
    from worker.workspace import Workspace

    try:
        return Workspace(load(WorkspaceSettings).workspace).has
    except ConfigurationError:
        return None  # this machine has no part of it; the workers look
