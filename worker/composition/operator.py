"""What the commands work with: imported when a command runs, for its help needs none of it."""

# The imports are in the functions: see above.
# ruff: noqa: PLC0415

import os
import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from celery import Celery

    from artifact_pipeline.domain.catalog.audited import AuditedAction
    from artifact_pipeline.domain.model.artifacts import Artifact
    from artifact_pipeline.domain.model.transfers import Transfer
    from artifact_pipeline.worker.composition.adapters import Adapters
    from artifact_pipeline.worker.composition.batches import Batches
    from artifact_pipeline.worker.composition.repositories import Database
    from artifact_pipeline.worker.workspace import Workspace


_OPEN = ExitStack()
_databases: "list[Database]" = []


def close_all() -> None:
    """Close the connections of what the command was given."""
    _OPEN.close()
    _databases.clear()


def this_user() -> str:
    """Return who runs the command, as transfers and batches keep it."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number without a name.
        user = f"uid-{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


@contextmanager
def audited(  # noqa: PLR0913 - all that the audit trail keeps
    name: str,
    *,
    actor: str | None = None,
    reason: str | None = None,
    job_id: int | None = None,
    batch_id: int | None = None,
    target: "Mapping[str, object] | None" = None,
) -> "Iterator[AuditedAction]":
    """Keep what this command does in the audit trail, and how it ends.

    Args:
        name: one of `ActionName`.
        actor: who; by default the user who runs the command.
        reason: why.
        job_id: the job that it is about.
        batch_id: the batch that it is about.
        target: what else it is about; what is None or empty is left out.

    Raises:
        InvalidRequestError: the actor is none.
        SqlUnavailableError: the action cannot be kept, and so must not begin.
    """
    from artifact_pipeline.domain.catalog.audited import audited as keep
    from artifact_pipeline.domain.model.operator_actions import NewAction, action_reason
    from artifact_pipeline.domain.model.requester import requester_name

    given = (target or {}).items()
    action = NewAction(
        name=name,
        actor=requester_name(actor) or this_user(),
        reason=action_reason(reason),
        job_id=job_id,
        batch_id=batch_id,
        target={key: value for key, value in given if value not in (None, "", [], ())},
    )
    with keep(database().audit_trail, action) as running:
        yield running


def adapters() -> "Adapters":
    """Return what moves something in the bucket, until the command ends: one, as `database`.

    Raises:
        ConfigurationError: a setting is missing or wrong.
    """
    from artifact_pipeline.worker.composition.adapters import Adapters
    from artifact_pipeline.worker.composition.process_name import new_process_name
    from artifact_pipeline.worker.settings import OperatorSettings, load

    for known in _databases:
        if isinstance(known, Adapters):
            return known
    opened = Adapters(load(OperatorSettings), f"command:{new_process_name()}")
    _keep(opened)
    return opened


def database(*, makes_file: bool = False) -> "Database":
    """Return what SQL has, until the command ends: one engine, however often it is asked for.

    Args:
        makes_file: create a missing SQLite file; by default it is an error.

    Raises:
        ConfigurationError: a setting is missing or wrong.
    """
    from artifact_pipeline.worker.composition.repositories import Database
    from artifact_pipeline.worker.settings import DatabaseSettings, load

    if _databases:
        return _databases[0]
    opened = Database(load(DatabaseSettings), makes_file=makes_file)
    _keep(opened)
    return opened


def _keep(opened: "Database") -> None:
    """Close it at the end, and let the command use it again."""
    _OPEN.callback(opened.close)
    _databases.append(opened)


def batches() -> "Batches":
    """Return the batches in SQL. Raises: ConfigurationError."""
    from artifact_pipeline.worker.composition.batches import batches_of
    from artifact_pipeline.worker.settings import BatchSettings, WorkspaceNameSettings, load

    return batches_of(
        load(BatchSettings),
        database().engine,
        find_app=_broker,
        has_source=source_check(),
        workspace=load(WorkspaceNameSettings).workspace_name,
    )


def target_of_events(name: str) -> str:
    """Return the name if the settings have a target of events of this name.

    Raises:
        ConfigurationError: events are off.
        InvalidRequestError: no target has this name.
    """
    from artifact_pipeline.domain.errors import ConfigurationError, InvalidRequestError
    from artifact_pipeline.worker.settings import BatchSettings, load

    settings = load(BatchSettings)
    if not settings.events:
        raise ConfigurationError("ARTIFACTS_EVENTS: events are off, so no target hears of anything")
    if name not in settings.addresses:
        known = ", ".join(settings.addresses)
        raise InvalidRequestError(
            f"--notify {name}: no target of events has this name. Targets: {known}"
        )
    return name


def request_publisher() -> "Callable[[Sequence[Transfer]], bool]":
    """Return what sends messages of transfers, and says whether it did.

    The dispatch sends what it does not.
    """
    from artifact_pipeline.domain.errors import BrokerUnavailableError
    from artifact_pipeline.tasks.publish import publish

    apps = [app for app in (_broker(),) if app is not None]

    def send(transfers: "Sequence[Transfer]") -> bool:
        try:
            for app in apps:
                publish(transfers, app)
        except BrokerUnavailableError:
            # Each further try would wait as long.
            apps.clear()
        return bool(apps)

    return send


def _broker() -> "Celery | None":
    from artifact_pipeline.domain.errors import ConfigurationError
    from artifact_pipeline.tasks.app import producer_app
    from artifact_pipeline.worker.settings import BrokerSettings, load

    try:
        return producer_app(load(BrokerSettings).broker)
    except ConfigurationError:
        return None  # the next sweep notices what is changed


def source_check() -> "Callable[[Artifact], bool] | None":
    """Return what says whether an artifact's source is in the workspace; None without one."""
    from artifact_pipeline.domain.errors import ConfigurationError
    from artifact_pipeline.worker.settings import WorkspaceSettings, load

    try:
        settings = load(WorkspaceSettings)
    except ConfigurationError:
        return None  # this machine has no part of it; the workers look
    found: list[Workspace] = []

    def has(artifact: "Artifact") -> bool:
        # Checked once, and only where it is asked: else an absent share looks like missing files.
        if not found:
            found.append(workspace(settings.workspace))
        return found[0].has(artifact)

    return has


def workspace(directory: "Path") -> "Workspace":
    """Return the workspace.

    Raises:
        WorkspaceUnavailableError: the directory is not a workspace that the database knows.
    """
    from artifact_pipeline.domain.errors import WorkspaceUnavailableError
    from artifact_pipeline.worker.settings import WorkspaceNameSettings, load
    from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
    from artifact_pipeline.worker.workspace import Workspace
    from artifact_pipeline.worker.workspace.identity import WorkspaceCheck

    name = load(WorkspaceNameSettings).workspace_name
    check = WorkspaceCheck(directory, SqlWorkspaces(database().engine, name=name))
    try:
        check()
    except WorkspaceUnavailableError as error:
        raise WorkspaceUnavailableError(f"ARTIFACTS_WORKSPACE={directory}: {error}") from error
    return Workspace(directory, check)
