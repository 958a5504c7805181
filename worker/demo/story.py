"""Who asks for what, and when; and the files of it."""

import json
import random
import shutil
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import SourceMissingError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import Job
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.embedded.os_errors import explained
from artifact_pipeline.worker.sql.platform import SqlJobs
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.workspace import Workspace

JOB = Job(12, datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC))
RUN_ID = 4
_RUN_CREATED_AT = datetime(2025, 10, 23, 21, 16, 30, tzinfo=UTC)
_RUN_DIRECTORIES = 4
_ROWS = 60_000


@dataclass(frozen=True, slots=True)
class Scene:
    asked_at: datetime
    artifact: Artifact


_ASKED_AT = {
    ArtifactKind.JOB_CONFIG: datetime(2025, 10, 23, 21, 15, 1, tzinfo=UTC),
    ArtifactKind.JOB_INPUT: datetime(2025, 10, 23, 21, 15, 3, tzinfo=UTC),
    ArtifactKind.RUN_CONFIG: datetime(2025, 10, 23, 21, 16, 5, tzinfo=UTC),
    ArtifactKind.RUN_LOGS: datetime(2025, 10, 23, 21, 20, 0, tzinfo=UTC),
    ArtifactKind.RUN_RESULTS: datetime(2025, 10, 26, 21, 20, 0, tzinfo=UTC),
}
_LAST = max(_ASKED_AT.values())
_TEXTS = {
    ArtifactKind.JOB_CONFIG: json.dumps({"job": JOB.id, "runs": [RUN_ID]}),
    ArtifactKind.RUN_CONFIG: json.dumps({"run": RUN_ID, "seed": 42}),
    ArtifactKind.RUN_LOGS: "day 0: started\nday 180: done\n",
}


def _scene(kind: ArtifactKind) -> Scene:
    artifact = Artifact(kind, JOB.id, RUN_ID if kind.belongs_to_run else None)
    return Scene(_ASKED_AT.get(kind, _LAST), artifact)


SCENES = tuple(sorted(map(_scene, ArtifactKind), key=lambda scene: scene.asked_at))


def create_rows(engine: Engine) -> None:
    """Create the job and its run, as the platform would have made them."""
    with Session(engine) as session, session.begin():
        session.add(
            JobRow(id=JOB.id, user_id=1, status="PROCESSING", created_at=JOB.created_at, tags=[])
        )
        session.flush()
        session.add(
            RunRow(
                id=RUN_ID,
                job_id=JOB.id,
                user_id=1,
                status="RUNNING",
                created_at=_RUN_CREATED_AT,
                request={},
            )
        )


def seed(engine: Engine, workspace: Workspace) -> None:
    """Create the job to play with, unless there are jobs already."""
    if SqlJobs(engine).newest(1):
        return
    create_files(workspace, None)
    create_rows(engine)


@explained()
def create_files(workspace: Workspace, results_dir: Path | None) -> None:
    """Create what the platform and the simulation would have left in the workspace."""
    for scene in SCENES:
        kind, path = scene.artifact.kind, workspace.path(scene.artifact)
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind.is_packed:
            _pack_from(path, results_dir)
        elif kind.is_zip:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("population.csv", "id,age\n1,34\n2,71\n")
        else:
            path.write_text(_TEXTS.get(kind, f"{kind}\n"))


def _pack_from(directory: Path, results_dir: Path | None) -> None:
    if results_dir is None:
        _simulate(directory)
    else:
        _copy(results_dir, directory)


def _simulate(results: Path) -> None:
    dice = random.Random(JOB.id)  # noqa: S311 - the same demo every time, no secret
    for number in range(1, _RUN_DIRECTORIES + 1):
        directory = results / f"RUN{number}" / "DAILY"
        directory.mkdir(parents=True)
        rows = (f"{day},{dice.random():.9f},{dice.random():.9f}\n" for day in range(_ROWS))
        (directory / "counts.csv").write_text("day,infected,recovered\n" + "".join(rows))
        (directory.parent / "COMPLETED").write_text("yes\n")


def _copy(results_dir: Path, results: Path) -> None:
    directories = sorted(path for path in results_dir.glob("RUN*") if path.is_dir())
    if not directories:
        raise SourceMissingError(f"--results-dir: {results_dir} has no RUN* directory")
    for directory in directories:
        shutil.copytree(directory, results / directory.name, symlinks=True)
