"""The producers' use cases over the world in memory."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from artifact_pipeline.domain.fakes import InMemoryResults, InMemoryUploadLocations
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.requester import Requester, requester_name
from artifact_pipeline.domain.model.transfers import Direction, Transfer
from artifact_pipeline.domain.platform.job_controller import JobController
from artifact_pipeline.domain.platform.use_cases import upload_results
from tests.domain.world import Clock, World

EXPIRES_IN = timedelta(minutes=10)


@dataclass
class Requests:
    """As a producer's session has them: a request becomes a transfer."""

    world: World
    numbers: "count[int]" = field(default_factory=count)

    def request(
        self, artifact: Artifact, direction: Direction, requested_by: Requester | None = None
    ) -> Transfer:
        name = requester_name(requested_by)
        request_id = f"asked-{next(self.numbers)}"
        return self.world.transfers.request(artifact, direction, request_id, name)

    def confirm(self, job_id: int, run_id: int | None) -> list[Transfer]:
        return self.world.transfers.make_due(Direction.CONFIRM, job_id, run_id)


@dataclass
class ProducingWorld(World):
    """And what the platform's producers have."""

    @property
    def locations(self) -> InMemoryUploadLocations:
        return InMemoryUploadLocations(
            self.reader, self.copier, EXPIRES_IN, self.clock, artifacts=self.artifacts
        )

    @property
    def results(self) -> InMemoryResults:
        return InMemoryResults(self.store)

    @property
    def controller(self) -> JobController:
        return self.controller_for(None)

    def controller_for(self, requested_by: Requester | None) -> JobController:
        return JobController(
            job_repository=self.jobs,
            run_repository=self.runs,
            artifact_repository=self.artifacts,
            transfer_repository=self.transfers,
            transfer_requests=Requests(self),
            upload_location_repository=self.locations,
            results_repository=self.results,
            locate=self.locate,
            requested_by=requested_by,
        )


def months_later() -> ProducingWorld:
    """Return one whose requests come long after the job was created."""
    return ProducingWorld(clock=Clock(datetime(2026, 3, 1, 8, 0, tzinfo=UTC)))


def plant_results(directory: Path, content: bytes = b"day,ill\n1,2\n") -> Path:
    """A directory with the results of one simulation."""
    (directory / "RUN1").mkdir(parents=True, exist_ok=True)
    (directory / "RUN1" / "out.csv").write_bytes(content)
    return directory


def results_of(
    world: ProducingWorld, directory: Path, job_id: int = 12, run_id: int = 4
) -> datetime:
    stored = upload_results(
        world.jobs,
        world.runs,
        world.results,
        world.artifacts,
        job_id=job_id,
        run_id=run_id,
        results_dir=directory,
    )
    assert stored == world.artifacts.find(stored.artifact)
    return stored.recorded_at
