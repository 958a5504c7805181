from collections.abc import Iterator
from pathlib import Path

import pytest

from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from tests.databases import Databases
from tests.integration.deployment import Deployment


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def deployment(
    request: pytest.FixtureRequest,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    """Broker, S3, each database in turn, and a real worker process with two children."""
    directory = tmp_path_factory.mktemp("deployment")
    if request.param == "sqlite":
        yield from _deployed(directory, None)
    else:
        with databases.fresh() as url:
            yield from _deployed(directory, url)


def _deployed(directory: Path, url: str | None) -> Iterator[Deployment]:
    with EmbeddedStack(directory, url) as stack:
        stack.start_worker("--concurrency", "2")
        yield Deployment(stack)
