"""Apps that the tests of the tasks publish with, and use cases for them."""

from collections.abc import Iterator

import pytest
from celery import Celery

from artifact_pipeline.tasks.app import producer_app
from artifact_pipeline.worker.embedded.servers import Valkey
from tests.tasks.answering import Answers


@pytest.fixture
def app(broker: Valkey) -> Iterator[Celery]:
    """A producer's app on the broker."""
    with producer_app(broker.url) as app:
        yield app


@pytest.fixture
def answers() -> Answers:
    """Use cases that only answer."""
    return Answers()
