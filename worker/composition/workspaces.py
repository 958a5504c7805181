"""The workspace of a worker: its check, and the circuit breakers for a share that is away."""

import socket
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Engine

from artifact_pipeline.domain.transfers.circuit_breaker import Breaker
from artifact_pipeline.domain.transfers.circuits import (
    WORKSPACE_FAILURES,
    Circuit,
    workspace_circuit,
    writes_circuit,
)
from artifact_pipeline.worker.settings import WorkerSettings
from artifact_pipeline.worker.sql.endpoint_failures import SqlEndpointFailures
from artifact_pipeline.worker.sql.tables import WorkspaceFailureRow
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.identity import WorkspaceCheck


class WorkspaceAdapters:
    """The workspaces of one process. Each keeps what it has learnt, so make them once."""

    def __init__(self, settings: WorkerSettings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self.check = workspace_check(settings, engine)
        self.workspace = Workspace(
            settings.workspace,
            self.check,
            keeps_times=settings.keeps_zip_times,
            threads=settings.transfer_threads,
        )
        self.circuits: Sequence[Circuit] = self._circuits()

    def _circuits(self) -> Sequence[Circuit]:
        # Leave out the path, which no table, message or log line has.
        endpoint = f"workspace of {socket.gethostname()}"
        return (
            writes_circuit(self._breaker(f"{endpoint}, downloads")),
            workspace_circuit(self._breaker(endpoint), self.check),
        )

    def _breaker(self, endpoint: str) -> Breaker:
        failures = SqlEndpointFailures(
            self._engine, self._settings.failures_forgotten_after, WorkspaceFailureRow
        )
        return Breaker(
            failures,
            endpoint,
            threshold=WORKSPACE_FAILURES,
            cool_off=timedelta(seconds=self._settings.breaker_seconds),
        )


def workspace_check(settings: WorkerSettings, engine: Engine) -> WorkspaceCheck:
    """Return a worker's check of its workspace."""
    added_by = f"worker@{socket.gethostname()}"
    workspaces = SqlWorkspaces(engine, added_by, settings.workspace_name)
    return WorkspaceCheck(settings.workspace, workspaces, is_worker=True)
