"""An upgrade, and a downgrade: two releases on one new schema, and their messages past each other.

The worker that does an upload shows in `transfers.claimed_at`, which the release before leaves
empty.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.version import newest_version
from tests.databases import Databases
from tests.deployments.producing import WAYS
from tests.deployments.releases import Release, release_before, this_release
from tests.integration.deployment import Deployment

pytestmark = pytest.mark.processes

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
RUNS_OF_A_WHOLE_JOB = 40
"""So many configs share a few messages, of the task `artifacts.upload_job`."""


class Upgraded:
    """A deployment whose database the release before has made and this one has upgraded."""

    def __init__(self, deployment: Deployment, releases: dict[str, Release]) -> None:
        self.deployment = deployment
        self.releases = releases
        self.asked: list[Artifact] = []

    def ask(self, release: str) -> list[int]:
        """Ask for uploads in every way, as a producer of a release. Returns: the jobs' ids."""
        ways = {way: self._written(way) for way in WAYS}
        self.releases[release].ask(self.deployment.stack.settings(), ways)
        artifacts = [artifact for each in ways.values() for artifact in each]
        self.asked += artifacts
        return sorted({artifact.job_id for artifact in artifacts})

    def start(self, release: str, *arguments: str) -> ManagedProcess:
        """Start a command of Celery's that runs the code of a release."""
        name = f"{release.replace(' ', '-')}-{arguments[1]}"
        return self.deployment.stack.start_celery(
            name, *arguments, environment=self.releases[release].environment
        )

    def start_worker(self, release: str) -> ManagedProcess:
        options = ("--concurrency", "2", "--loglevel", "INFO", "--hostname", f"{release}@%h")
        return self.start(release, "artifact_pipeline.worker.app", "worker", *options)

    def start_beat(self, release: str) -> ManagedProcess:
        schedule = self.deployment.stack.directory / f"{release}-schedule"
        options = ("--schedule", str(schedule), "--loglevel", "INFO")
        return self.start(release, "artifact_pipeline.worker.control", "beat", *options)

    def await_ends(self) -> None:
        active = ("requested", "waiting", "running")
        self.deployment.wait_until(
            lambda: (
                len(states := self.states()) >= len(self.asked)
                and not any(state in active for state in states)
            )
        )

    def states(self) -> list[str]:
        return [row.state for row in self.rows()]

    def rows(self) -> list[Any]:
        columns = TransferRow.__table__.c
        statement = select(columns.state, columns.reason_code, columns.job_id, columns.claimed_at)
        with self.deployment.stack.engine.connect() as connection:
            return list(connection.execute(statement).all())

    def _written(self, way: str) -> list[Artifact]:
        """Return artifacts of a new job, whose files are in the workspace."""
        job_id = self.deployment.job(CREATED_AT)
        runs = RUNS_OF_A_WHOLE_JOB if way == "whole_job" else 1
        run_ids = [self.deployment.run(job_id, CREATED_AT) for _ in range(runs)]
        if way == "whole_job":
            artifacts = [Artifact(ArtifactKind.RUN_CONFIG, job_id, each) for each in run_ids]
        else:
            artifacts = [
                Artifact(kind, job_id, run_ids[0] if kind.belongs_to_run else None)
                for kind in ArtifactKind
            ]
        for artifact in artifacts:
            self.deployment.write(artifact)
        return artifacts


@pytest.fixture(scope="module")
def upgraded(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    directory = tmp_path_factory.mktemp("upgraded")
    before = release_before(directory / "before")
    command = "from artifact_pipeline.worker.cli.main import main; main()"
    upgrade = ("-c", command, "db", "upgrade", "--with-platform-tables")
    with databases.fresh("template0") as url:
        before.run(*upgrade, settings={"ARTIFACTS_DATABASE_URL": url})
        with EmbeddedStack(directory / "deployment", url) as stack:  # upgrades the database
            yield Upgraded(Deployment(stack), {"before": before, "this": this_release()})


@pytest.mark.parametrize(
    ("workers", "others"),
    [(["before"], ["this"]), (["this"], ["before"]), (["before", "this"], ["before", "this"])],
    ids=["an older worker", "a newer worker", "workers and beats of both"],
)
def test_uploads_are_done_by_either_release(
    upgraded: Upgraded, workers: list[str], others: list[str]
) -> None:
    with ExitStack() as running:
        # Given producers and a beat of the other release, or of both
        jobs = [job_id for release in others for job_id in upgraded.ask(release)]
        for release in others:
            running.callback(upgraded.start_beat(release).stop)
        # When
        for release in workers:
            running.callback(upgraded.start_worker(release).stop)
        # Then
        upgraded.await_ends()
    rows = upgraded.rows()
    assert Counter((row.state, row.reason_code) for row in rows) == {
        ("done", None): len(upgraded.asked)
    }
    # And no other worker has done them
    is_noted = {row.claimed_at is not None for row in rows if row.job_id in jobs}
    assert is_noted <= {release == "this" for release in workers}


def test_the_releases_differ_in_their_schema(upgraded: Upgraded) -> None:
    newest = upgraded.releases["before"].run(
        "-c",
        "from artifact_pipeline.worker.sql.version import newest_version; print(newest_version())",
        settings={},
    )
    assert newest.strip() < newest_version()
