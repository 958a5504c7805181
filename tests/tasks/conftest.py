"""Apps that the tests of the tasks publish with."""

from collections.abc import Iterator

import pytest
from celery import Celery

from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.worker.embedded.servers import Valkey


@pytest.fixture
def app(broker: Valkey) -> Iterator[Celery]:
    """A producer's app on the broker."""
    with producer_app(broker.url) as app:
        yield app
