"""The web application over a real stack, with a job whose names and contents are attacks."""

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from celery import Celery

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.routing import ids_of, queue_of, task_name
from artifact_pipeline.worker.dev.stack import DevStack
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.servers import accepts, kept_port
from artifact_pipeline.worker.embedded.stack import Ports
from artifact_pipeline.worker.web.access.passwords import PasswordHash
from artifact_pipeline.worker.workspace import Workspace
from tests.sql.batch_steps import History
from tests.webpages.site import zip_of

ADA, EVE = ("ada", "a-secret"), ("eve", "another-secret")
SCRIPT = "<script>window.hurt = 1</script>"
IMAGE = "<img src=x onerror=window.hurt=1>"
ATTACK = f"{IMAGE}.html"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_CSV = "day,susceptible,infected,recovered\n" + "".join(
    f"{day},{9_000 // (day + 9)},{40 * day if day < 20 else 1_600 - 40 * day},{day * 21}\n"
    for day in range(40)
)
_DIRECTORY = "d" * 200
_PATIENCE_SECONDS = 90
_QUEUES = "configs,celery,results,batches,upkeep"


@dataclass
class Deployed:
    stack: DevStack
    port: int
    lost: ManagedProcess
    broker: Celery

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, auth: tuple[str, str] | None = ADA) -> requests.Response:
        return requests.get(f"{self.url}{path}", auth=auth, timeout=30, allow_redirects=False)

    def post(self, path: str, **form: str) -> requests.Response:
        return requests.post(f"{self.url}{path}", form, auth=ADA, timeout=30)

    def overview(self) -> Any:
        return self.get("/api/v1/overview").json()

    def upload(self, artifact: Artifact) -> None:
        """Ask for an upload, as a producer does."""
        self.broker.send_task(
            task_name(Direction.UPLOAD, artifact.kind),
            kwargs=ids_of(Direction.UPLOAD, artifact),
            queue=queue_of(artifact.kind),
        )

    def write(self, artifact: Artifact, content: bytes) -> None:
        path = Workspace(self.stack.workspace).path(artifact)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def has(self, path: str, words: str) -> bool:
        return words in self.get(path).text


@contextmanager
def deployed(directory: Path) -> Iterator[Deployed]:
    logins = (f"{name}:{role}:{PasswordHash.of(password)}" for (name, password), role in _ROLES)
    with DevStack(directory, Ports()) as stack:
        port = kept_port(stack)
        history = History(stack.engine)
        created_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
        tags = {"model": "seir", "region": "north"}
        history.job(12, [4, 5], tags=tags, status="PROCESSING", created_at=created_at)
        history.job(13, [7], tags={"model": "sir", SCRIPT: IMAGE})
        lost = stack.start_worker("--queues", "batches", "--concurrency", "1")
        stack.start_worker("--queues", _QUEUES, "--concurrency", "1")
        stack.start_beat()
        environment = {"ARTIFACTS_WEB_LOGINS": ",".join(logins)}
        web = stack.start_command("web", "web", "--port", str(port), environment=environment)
        web.wait_until(lambda: accepts(port))
        broker = Celery("foreign", broker=stack.broker.url, set_as_current=False)
        here = Deployed(stack, port, lost, broker)
        _have_worked(here)
        yield here


_ROLES = ((ADA, "operator"), (EVE, "read-only"))


def _have_worked(here: Deployed) -> None:
    """Upload a job's artifacts, one of which is missing, and lose a worker."""
    results = here.stack.workspace / "job_12" / "OUT" / "run_4" / "RUN1"
    (results / _DIRECTORY / _DIRECTORY).mkdir(parents=True)
    (results / "summary.csv").write_text(_CSV)
    (results / "state.png").write_bytes(PNG)
    (results / ATTACK).write_text(SCRIPT)
    (results / "drawing.svg").write_text("<svg onload='window.hurt=1'/>")
    (results / "\u202egnp.exe").write_text("x")
    (results / _DIRECTORY / _DIRECTORY / "deep.txt").write_text("deep")
    config = Artifact(ArtifactKind.JOB_CONFIG, 12)
    here.write(config, b'{"days": 180, "seed": 42, "model": "seir"}')
    here.write(Artifact(ArtifactKind.JOB_INPUT, 12), zip_of({"population.csv": b"id,age\n1,34\n"}))
    run = [Artifact(kind, 12, 4) for kind in (ArtifactKind.RUN_CONFIG, ArtifactKind.RUN_RESULTS)]
    here.write(run[0], b'{"run": 4, "seed": 42}')
    asked = (config, Artifact(ArtifactKind.JOB_INPUT, 12), *run)
    missing = [Artifact(ArtifactKind.RUN_LOGS, 12, run_id) for run_id in (4, 5)]
    for artifact in (*asked, *missing, Artifact(ArtifactKind.RUN_LOGS, 13, 7)):
        here.upload(artifact)
    wait_until(lambda: _quarantined(here) == 3)
    wait_until(lambda: _done(here) == len(asked))
    wait_until(lambda: len(_up(here)) == 2)
    here.lost.kill()


def _quarantined(here: Deployed) -> int:
    return sum(each["quarantined"] for each in here.overview()["quarantine"])


def _done(here: Deployed) -> int:
    return len(here.get("/api/v1/transfers?state=done").json()["transfers"])


def _up(here: Deployed) -> list[str]:
    return [each["name"] for each in here.overview()["workers"] or () if each["is_up"]]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)
