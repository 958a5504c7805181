"""A deployment whose broker is Debian's Redis."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from tests.deployments.redis_server import RedisServer
from tests.integration.deployment import Deployment

CREATED_AT = datetime(2025, 10, 23, 21, 15, 0, tzinfo=UTC)


class RedisStack(EmbeddedStack):
    """The embedded stack with another broker."""

    def __init__(self, directory: Path, broker: Any) -> None:
        super().__init__(directory)
        self.broker = broker


@contextmanager
def deployed(
    directory: Path, *configuration: tuple[str, ...], patience_seconds: float = 60
) -> Iterator[Deployment]:
    """A deployment on a Redis with this configuration; its workers are the test's to start."""
    with RedisStack(directory, RedisServer(directory / "redis", *configuration)) as stack:
        yield Deployment(stack, patience_seconds)


def a_config(deployment: Deployment) -> Artifact:
    """Return an artifact whose file is in the workspace."""
    artifact = Artifact(ArtifactKind.JOB_CONFIG, deployment.job(CREATED_AT))
    deployment.write(artifact)
    return artifact
