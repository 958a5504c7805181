"""Do what workers, producers and operators do on a store of files; note what of S3 is loaded."""

import json
import sys
from pathlib import Path
from zipfile import ZipFile

from sqlalchemy.orm import Session

from artifact_pipeline import Artifact, ArtifactKind, Producer
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.worker import app as worker_app
from artifact_pipeline.worker import control
from artifact_pipeline.worker.cli.main import main
from artifact_pipeline.worker.composition.worker import Composition
from artifact_pipeline.worker.settings import WorkerSettings, load
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.workspace import Workspace

INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
OF_S3 = ("boto3", "botocore", "s3transfer", "artifact_pipeline.worker.s3.client")


def work() -> str:
    """Upload the job's input, as the task of a worker does."""
    settings = load(WorkerSettings)
    path = Workspace(settings.workspace).path(INPUT)
    path.parent.mkdir(parents=True)
    with ZipFile(path, "w") as archive:
        archive.writestr("mesh.inp", b"1")
    composition = Composition(settings, worker_app.app)
    composition.transfer(Direction.UPLOAD, INPUT, "a", is_alone=True)
    latest = composition.adapters.transfers.latest(INPUT, Direction.UPLOAD)
    composition.reconcile()
    composition.adapters.close()
    return latest.state if latest else "missing"


def produce() -> int:
    """Ask for the locations of a job's artifacts, as the platform does."""
    engine = make_engine(load(WorkerSettings).database_url)
    with Session(engine) as session:
        found = Producer(publish=False).controller(session).get_job_uploads(12)
    engine.dispose()
    return len(found)


def operate(*arguments: str) -> int:
    """Run a command; return its status."""
    sys.argv = ["artifacts", *arguments]
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


COMMANDS = (
    ("health", "ready", "--only", "bucket"),
    ("doctor", "--only", "bucket", "--probe"),
    ("jobs", "uploads", "list", "12"),
    ("jobs", "uploads", "list", "12", "--members", "--run-id", "4"),
    ("jobs", "uploads", "download", "12", "--output-dir", "out"),
    ("jobs", "uploads", "cat", "12", "--kind", "job_config"),
    ("jobs", "uploads", "relocate", "12"),
    ("jobs", "status", "12"),
)

if __name__ == "__main__":
    assert control
    Path("out").mkdir()
    done = {"upload": work(), "listed": produce()}
    statuses = {" ".join(command): operate(*command) for command in COMMANDS}
    loaded = [name for name in OF_S3 if name in sys.modules]
    said = {"done": done, "statuses": statuses, "loaded": loaded}
    Path("said.json").write_text(json.dumps(said))
