"""`python -m tests.faults.figures`: the promises that are figures, measured with default settings.

Exit status 1 if one is not kept.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.requests import request_upload
from tests.brokers.stack import deployed_on
from tests.faults.bare import send_under_kills
from tests.faults.brokers import BROKERS, Place
from tests.faults.postgres import RestartablePostgres
from tests.integration.deployment import Deployment
from tests.sql.producer import producing_to

_MIB = 2**20
_CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
_PATIENCE_SECONDS = 600
_REPORT = Path("faults-figures.json")
_OUTSTANDING = 5_000
_AWAY_SECONDS = 30
_DISPATCH_SECONDS = 5
_BARE = 1_000
_OWN = "valkey"
_REDELIVERED_SECONDS = 50


@dataclass(frozen=True)
class Figure:
    what: str
    measured: float
    limit: float
    unit: str

    def __str__(self) -> str:
        verdict = "kept" if self.is_kept else "NOT KEPT"
        figures = f"{self.measured:,.1f} {self.unit}, allowed {self.limit:,.1f}"
        return f"{self.what}: {figures}: {verdict}"

    @property
    def is_kept(self) -> bool:
        return self.measured <= self.limit


def main() -> int:
    figures = []
    for measure in _measures():
        for figure in measure():
            print(figure, flush=True)
            figures.append(figure)
    _REPORT.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    return 0 if all(figure.is_kept for figure in figures) else 1


def _measures() -> list[Callable[[], Iterator[Figure]]]:
    """Return what the command line asks for; by default all."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.figures", description=__doc__)
    parser.add_argument("--only", choices=("resumption", "flush", "broker", "bare"))
    parser.add_argument("--broker", choices=BROKERS, default=_OWN, help="others: resumption alone")
    parser.add_argument("--bare", type=int, default=_BARE, help="how many bare messages")
    options = parser.parse_args()
    measures: dict[str, Callable[[], Iterator[Figure]]] = {
        "resumption": partial(resumption, options.broker),
        "flush": flush,
        "broker": returning_broker,
        "bare": partial(bare_messages, options.bare),
    }
    only = options.only if options.broker == _OWN else "resumption"
    return [measure for name, measure in measures.items() if only in (None, name)]


def resumption(broker: str = _OWN) -> Iterator[Figure]:
    """1 GiB in parts of 16 MiB on 4 threads, its worker killed when 80 % have arrived."""
    parts, part, threads = 64, 16 * _MIB, 4
    with _deployed(broker) as deployed:
        artifact = Artifact(ArtifactKind.JOB_INPUT, deployed.job(_CREATED_AT))
        _write_random(deployed.write(artifact), parts, part)
        deployed.send(artifact)
        worker = deployed.stack.start_worker("--concurrency", "1")
        # Not before: it could take the message itself.
        deployed.wait_until(lambda: deployed.parts(artifact) > 0)
        other = deployed.stack.start_worker(
            *("--concurrency", "1", "--beat", "--queues", "upkeep,results"),
            *("--loglevel", "DEBUG"),  # the receipt of a transfer is a line of this level
        )
        deployed.wait_until(lambda: deployed.parts(artifact) >= 0.8 * parts)
        holder = deployed.latest(artifact)
        worker.kill()
        killed_at = time.monotonic()
        received = f"[{holder.request_id}] received"
        deployed.wait_until(lambda: received in other.log.read_text())
        yield Figure(
            f"{broker}: from SIGKILL of the holder until its message is delivered again",
            time.monotonic() - killed_at,
            _REDELIVERED_SECONDS,
            "s",
        )
        deployed.wait_until(lambda: deployed.latest(artifact).fence > holder.fence)
        yield Figure(
            "from SIGKILL of the holder until another goes on",
            time.monotonic() - killed_at,
            60 + _DISPATCH_SECONDS,
            "s",
        )
        deployed.wait_until(lambda: deployed.latest(artifact).state is TransferState.DONE)
        sent = deployed.latest(artifact).bytes_sent or 0
        allowed = 0.2 * parts * part + threads * part
        yield Figure("1 GiB killed at 80 %: sent again", sent / _MIB, allowed / _MIB, "MiB")


def flush() -> Iterator[Figure]:
    """FLUSHALL while many are outstanding and workers are at work."""
    with _deployed() as deployed:
        artifacts = _asked_for(deployed, _OUTSTANDING)
        for _ in range(2):
            deployed.stack.start_worker("--concurrency", "2")
        deployed.stack.start_worker("--concurrency", "1", "--beat", "--queues", "upkeep")
        deployed.wait_until(lambda: _count(deployed, TransferState.DONE) > 0)
        outstanding = len(artifacts) - _count(deployed, TransferState.DONE)
        with deployed.stack.broker.client() as broker:
            broker.flushall()
            flushed_at = time.monotonic()
            deployed.wait_until(lambda: broker.llen("configs") > 0)
        yield Figure(
            f"FLUSHALL with {outstanding:,} outstanding: until they are in the queue again",
            time.monotonic() - flushed_at,
            2 * _DISPATCH_SECONDS,
            "s",
        )
        deployed.wait_until(lambda: _count(deployed, TransferState.DONE) == len(artifacts))
        lost = len(artifacts) - _count(deployed, TransferState.DONE)
        yield Figure("after it: not done", lost, 0, "transfers")


def returning_broker() -> Iterator[Figure]:
    """A broker that is away for half a minute, under workers that nobody restarts."""
    with _deployed() as deployed:
        deployed.stack.start_worker("--concurrency", "2")
        _done(deployed)
        deployed.stack.broker.kill()
        time.sleep(_AWAY_SECONDS)
        deployed.stack.broker.start()
        back_at = time.monotonic()
        _done(deployed)
        yield Figure(
            f"broker back after {_AWAY_SECONDS} s: until workers consume again",
            time.monotonic() - back_at,
            60,
            "s",
        )


def bare_messages(messages: int) -> Iterator[Figure]:
    """Bare messages while a worker is killed every two seconds."""
    with _deployed() as deployed:
        outcome = send_under_kills(
            deployed, messages=messages, per_second=5, workers=3, kill_every=2
        )
        what = f"{outcome.sent:,} bare messages, {outcome.kills} kills"
        yield Figure(f"{what}: lost", outcome.lost, 0, "messages")
        yield Figure(f"{what}: the latest", outcome.latest.total_seconds(), 90, "s")


@contextmanager
def _deployed(broker: str = _OWN) -> Iterator[Deployment]:
    with (
        temporary_directory("artifacts-figures-") as directory,
        RestartablePostgres() as postgres,
    ):
        postgres.create("figures")
        url = postgres.url("figures")
        place = Place(directory / "broker", postgres, database="figures")
        if broker == _OWN:
            with EmbeddedStack(directory, url) as stack:
                yield Deployment(stack, _PATIENCE_SECONDS)
        else:
            with (
                BROKERS[broker](place) as other,
                deployed_on(other, directory, url, _PATIENCE_SECONDS) as deployed,
            ):
                yield deployed


def _asked_for(deployed: Deployment, count: int) -> list[Artifact]:
    artifacts = [Artifact(ArtifactKind.JOB_CONFIG, deployed.job(_CREATED_AT)) for _ in range(count)]
    engine = deployed.stack.engine
    with (
        producing_to(deployed.stack.broker.url) as app,
        Session(engine) as session,
        session.begin(),
    ):
        for artifact in artifacts:
            deployed.write(artifact)
            request_upload(session, artifact.kind, artifact.job_id, app=app)
    return artifacts


def _done(deployed: Deployment) -> None:
    """One upload, from a bare message to the record."""
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployed.job(_CREATED_AT))
    deployed.write(artifact)
    deployed.send(artifact)
    deployed.stored(artifact)


def _write_random(path: Path, parts: int, part: int) -> None:
    with path.open("wb") as file:
        for _ in range(parts):
            file.write(os.urandom(part))


def _count(deployed: Deployment, state: TransferState) -> int:
    statement = select(func.count()).where(TransferRow.state == state)
    with deployed.stack.engine.connect() as connection:
        return connection.scalar(statement) or 0


if __name__ == "__main__":
    sys.exit(main())
