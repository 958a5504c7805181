"""The workspace of a worker: its check, and the circuit breakers for a share that is away."""

import socket
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Engine

from domain.breaker import Breaker
from domain.circuits import Circuit, workspace_circuit, writes_circuit
from worker.settings import WorkerSettings
from worker.sql.endpoints import SqlEndpointFailures
from worker.sql.tables import WorkspaceFailureRow
from worker.sql.workspaces import SqlWorkspaces
from worker.workspace import Workspace
from worker.workspace.identity import WorkspaceCheck

# A look at the marker is proof, and so is a write that finds no space: no second failure is needed.
FAILURES_TO_OPEN = 1


class WorkspaceAdapters:
    """Those of one process. Each keeps what it has learnt, so they are made once."""

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
        # Without the path, which no table, message or log line has.
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
            threshold=FAILURES_TO_OPEN,
            cool_off=timedelta(seconds=self._settings.breaker_seconds),
        )


def workspace_check(settings: WorkerSettings, engine: Engine) -> WorkspaceCheck:
    """Return a worker's check of its workspace."""
    added_by = f"worker@{socket.gethostname()}"
    return WorkspaceCheck(settings.workspace, SqlWorkspaces(engine, added_by), is_worker=True)
