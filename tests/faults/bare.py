"""Bare messages under kills: how many are lost, and how late the last one is."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

from sqlalchemy import select

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.sql.tables import TransferRow
from tests.integration.deployment import Deployment

_CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Attributes: `latest` is the longest time from sending a message to the end of its upload."""

    sent: int
    lost: int
    kills: int
    latest: timedelta


def send_under_kills(  # noqa: PLR0913 - what one run is made of
    deployed: Deployment,
    *,
    messages: int,
    per_second: float,
    workers: int,
    kill_every: float,
    seed: int = 1,
) -> Outcome:
    """Send bare messages at a steady pace while workers are killed, and wait for their ends."""
    artifacts = [
        Artifact(ArtifactKind.JOB_CONFIG, deployed.job(_CREATED_AT)) for _ in range(messages)
    ]
    for artifact in artifacts:
        deployed.write(artifact)
    sent: dict[str, datetime] = {}
    # What beat asks for is not what this is about: it is in a worker that lives.
    deployed.stack.start_worker("--concurrency", "1", "--beat", "--queues", "upkeep")
    with _killing(deployed, workers, kill_every, random.Random(seed)) as kills:
        for artifact in artifacts:
            sent[deployed.send(artifact)] = datetime.now(UTC)
            time.sleep(1 / per_second)
        # The last kills are among the last messages.
        deployed.wait_until(lambda: len(_done(deployed)) >= messages * 0.9, 0.5)
    # What is not there by then counts as lost.
    with suppress(AssertionError):
        deployed.wait_until(lambda: len(_done(deployed)) == messages, 0.5)
    ended = _done(deployed)
    late = [ended[request_id] - at for request_id, at in sent.items() if request_id in ended]
    return Outcome(
        sent=messages,
        lost=len(sent.keys() - ended.keys()),
        kills=len(kills),
        latest=max(late),
    )


@contextmanager
def _killing(
    deployed: Deployment, workers: int, every: float, chance: random.Random
) -> Iterator[list[float]]:
    """Kill one worker after the other, and start another in its place."""
    living = [_start(deployed) for _ in range(workers)]
    kills: list[float] = []
    stopped = Event()

    def kill_on() -> None:
        while not stopped.wait(every):
            index = chance.randrange(workers)
            living[index].kill()
            kills.append(time.monotonic())
            living[index] = _start(deployed)

    thread = Thread(target=kill_on)
    thread.start()
    try:
        yield kills
    finally:
        stopped.set()
        thread.join()


def _start(deployed: Deployment) -> ManagedProcess:
    return deployed.stack.start_worker("--concurrency", "2", "--queues", "configs,results,celery")


def _done(deployed: Deployment) -> dict[str, datetime]:
    """When each request ended, by its id."""
    done = select(TransferRow.request_id, TransferRow.finished_at).where(
        TransferRow.state == TransferState.DONE
    )
    with deployed.stack.engine.connect() as connection:
        return {row.request_id: row.finished_at for row in connection.execute(done)}
