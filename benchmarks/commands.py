"""CPU time of commands, beside that of importing the libraries that they need.

python -m benchmarks.commands
"""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.embedded import lifeline
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.migrate import upgrade
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from benchmarks.figures import OURS, Figure, Measured, Unit, compared, interleaved
from benchmarks.platform import add_runs
from benchmarks.rendering import line
from tests.faults.postgres import RestartablePostgres

_ROUNDS = 11
_JOB = 1
_RUNS = 10
_DATABASE = "platform"
_ARTIFACTS = str(Path(sys.executable).with_name("artifacts"))
_PYTHON = (sys.executable, "-c")
_HELP_LIBRARIES = "import typer"
_SQL_LIBRARIES = "import psycopg, pydantic_settings, sqlalchemy.orm, typer"


def measure_commands(database_url: str) -> list[Figure]:
    """Compare both commands, on a database with a job and its transfers."""
    _fill(database_url)
    cpu = partial(_cpu, {**os.environ, "ARTIFACTS_DATABASE_URL": database_url})
    helped = {
        OURS: partial(cpu, _ARTIFACTS, "--help"),
        "import of its libraries": partial(cpu, *_PYTHON, _HELP_LIBRARIES),
    }
    status = {
        OURS: partial(cpu, _ARTIFACTS, "jobs", "status", str(_JOB)),
        "import of its libraries": partial(cpu, *_PYTHON, _SQL_LIBRARIES),
    }
    return [
        *compared("artifacts --help", interleaved(helped, _ROUNDS)),
        *compared(f"artifacts jobs status, {_RUNS} transfers", interleaved(status, _ROUNDS)),
    ]


def _fill(database_url: str) -> None:
    engine = make_engine(database_url)
    upgrade(engine, with_platform_tables=True)
    artifacts = [Artifact(ArtifactKind.RUN_CONFIG, _JOB, run) for run in range(1, _RUNS + 1)]
    with Session(engine) as session, session.begin():
        add_runs(session, artifacts)
        for artifact in artifacts:
            request_upload(session, artifact.kind, _JOB, artifact.run_id, publish=False)
    engine.dispose()


def _cpu(environment: dict[str, str], *command: str) -> Measured:
    # Waited for here, because only wait4 says what this one process took.
    process = lifeline.start(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    lifeline.forget(process.pid)
    assert process.returncode == 0, f"{command} failed"
    return {Unit.COMMAND_CPU: 1000 * (usage.ru_utime + usage.ru_stime)}


if __name__ == "__main__":
    with RestartablePostgres() as postgres:
        postgres.create(_DATABASE)
        for figure in measure_commands(postgres.url(_DATABASE)):
            print(line(figure))
