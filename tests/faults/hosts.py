"""`python -m tests.faults.hosts`: five hosts with separate trees on one broker, SQL and S3.

Each host's files exist in its own tree only. Half of the messages of requests that SQL knows go to
a wrong host as well, and one host is killed and started again while it works. Exit status 1 if an
upload is not done, or not done where its files are.
"""

import argparse
import json
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import (
    ACTIVE_STATES,
    Direction,
    Transfer,
    TransferState,
)
from artifact_pipeline.tasks.routing import (
    RECORDED_HEADER,
    UPKEEP,
    ids_of,
    queue_in,
    queue_of,
    queues_of_workspace,
    task_name,
)
from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.requests import request_uploads
from artifact_pipeline.worker.sql.workspaces import SqlWorkspaces
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.initialization import initialize
from tests.faults.postgres import RestartablePostgres
from tests.integration.deployment import Deployment
from tests.sql.producer import producing_to

_CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
_PATIENCE_SECONDS = 300
_UPLOAD = Direction.UPLOAD
UPLOADS = 40
"""Of each host."""


@dataclass(frozen=True)
class Host:
    name: str
    tree: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ARTIFACTS_WORKSPACE": str(self.tree),
            "ARTIFACTS_WORKSPACE_NAME": self.name,
            "ARTIFACTS_LEASE_SECONDS": "5",
            "ARTIFACTS_DISPATCH_UNCLAIMED_SECONDS": "2",
        }


class Hosts(Deployment):
    """The deployment, and hosts that share nothing else."""

    def __init__(self, stack: EmbeddedStack, count: int) -> None:
        super().__init__(stack, _PATIENCE_SECONDS)
        self.hosts = [Host(f"host-{n}", stack.directory / f"tree-{n}") for n in range(count)]
        self.workers = [self._start(host) for host in self.hosts]
        stack.start_worker("--concurrency", "1", "--queues", UPKEEP)
        beat = ("artifact_pipeline.worker.control", "beat", "--loglevel", "WARNING")
        stack.start_celery("beat", *beat)

    def _start(self, host: Host) -> ManagedProcess:
        host.tree.mkdir(exist_ok=True)
        initialize(host.tree, SqlWorkspaces(self.stack.engine, name=host.name))
        queues = ",".join(queues_of_workspace(host.name))
        return self.stack.start_worker(
            *("--concurrency", "1", "--queues", queues), environment=host.environment
        )

    def restart(self, number: int) -> None:
        """Kill a host with all that it does, and start it again."""
        self.workers[number].kill()
        self.workers[number] = self._start(self.hosts[number])

    def request(self, host: Host, count: int) -> list[Transfer]:
        job_id = self.job(_CREATED_AT)
        runs = [self.run(job_id, _CREATED_AT) for _ in range(count)]
        configs = [Artifact(ArtifactKind.RUN_CONFIG, job_id, run_id) for run_id in runs]
        for config in configs:
            path = Workspace(host.tree).path(config)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(host.name)
        with producing_to(self.stack.broker.url) as app, Session(self.stack.engine) as session:
            asked = [(each.kind, each.job_id, each.run_id) for each in configs]
            made = request_uploads(session, asked, app=app, workspace=host.name)
            session.commit()
        return made

    def send_to(self, host: Host, transfer: Transfer) -> None:
        artifact = transfer.artifact
        self.foreign.send_task(
            task_name(_UPLOAD, artifact.kind),
            kwargs=ids_of(_UPLOAD, artifact),
            task_id=transfer.request_id,
            queue=queue_in(queue_of(artifact.kind), host.name),
            headers={RECORDED_HEADER: 1},
        )

    def has_active(self) -> bool:
        active = select(func.count()).where(TransferRow.state.in_(ACTIVE_STATES))
        with self.stack.engine.connect() as connection:
            return bool(connection.scalar(active))

    def states(self) -> Counter[str]:
        rows = select(TransferRow.state, TransferRow.reason_code, func.count()).group_by(
            TransferRow.state, TransferRow.reason_code
        )
        with self.stack.engine.connect() as connection:
            return Counter({f"{s} {r or ''}".strip(): n for s, r, n in connection.execute(rows)})

    def misplaced(self, transfers: list[Transfer]) -> int:
        """Return how many objects have the bytes of another host."""
        wrong = 0
        for transfer in transfers:
            stored = self.artifacts.find(transfer.artifact)
            wrong += stored is None or self.body(stored.object.key).decode() != transfer.workspace
        return wrong


@dataclass(frozen=True)
class HostsReport:
    """What became of the uploads of some hosts.

    Attributes:
        wrong_messages: sent to a host that lacks the file.
        kills: of whole hosts, while they work.
        misplaced: objects with the bytes of another host.
    """

    hosts: int
    requested: int
    done: int
    quarantined: int
    misplaced: int
    wrong_messages: int
    kills: int
    seconds: float
    states: dict[str, int]

    @property
    def is_right(self) -> bool:
        return self.done == self.requested and not self.misplaced and len(self.states) == 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.hosts", description=__doc__)
    parser.add_argument("--hosts", type=int, default=5)
    parser.add_argument("--uploads", type=int, default=UPLOADS, help="of each host")
    parser.add_argument("--keep-alive", action="store_true", help="kill no host")
    options = parser.parse_args()
    report = measure(options.hosts, options.uploads, kills=not options.keep_alive)
    print(json.dumps(asdict(report)), flush=True)
    return 0 if report.is_right else 1


def measure(count: int, uploads: int = UPLOADS, *, kills: bool = True) -> HostsReport:
    """Request uploads on each of some hosts, and wait until none is active."""
    with ExitStack() as exits:
        postgres = exits.enter_context(RestartablePostgres())
        directory = exits.enter_context(temporary_directory("artifacts-hosts-"))
        postgres.create("hosts")
        stack = exits.enter_context(EmbeddedStack(directory, postgres.url("hosts")))
        return _run(Hosts(stack, count), uploads, kills=kills)


def _run(hosts: Hosts, uploads: int, *, kills: bool) -> HostsReport:
    started = time.monotonic()
    made = [hosts.request(host, uploads) for host in hosts.hosts]
    wrong = [(number, each) for number, of_host in enumerate(made) for each in of_host[::2]]
    for number, transfer in wrong:
        hosts.send_to(hosts.hosts[(number + 1) % len(hosts.hosts)], transfer)
    if kills:
        hosts.restart(0)
    hosts.wait_until(lambda: not hosts.has_active(), pause_seconds=0.2)
    states = hosts.states()
    every = [transfer for transfers in made for transfer in transfers]
    quarantined = TransferState.QUARANTINED.value
    return HostsReport(
        hosts=len(hosts.hosts),
        requested=len(every),
        done=states[TransferState.DONE.value],
        quarantined=sum(n for state, n in states.items() if state.startswith(quarantined)),
        misplaced=hosts.misplaced(every),
        wrong_messages=len(wrong),
        kills=int(kills),
        seconds=round(time.monotonic() - started, 1),
        states=dict(states),
    )


if __name__ == "__main__":
    sys.exit(main())
