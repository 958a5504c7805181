"""What a worker's children share with their parent."""

import gc
from collections.abc import Iterator

import pytest
from celery.signals import worker_before_create_process

from artifact_pipeline.worker.lifecycle.forking import share_memory_with_children


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    """Begin with nothing frozen: the test run itself freezes what it has collected."""
    gc.unfreeze()
    yield
    gc.freeze()


def test_what_is_loaded_is_left_out_of_every_search_for_garbage() -> None:
    # Given
    share_memory_with_children()
    # When the first child is about to be forked
    worker_before_create_process.send(sender=None)
    # Then
    assert gc.get_freeze_count() > 10_000


def test_what_comes_after_the_first_child_is_not() -> None:
    # Given
    share_memory_with_children()
    worker_before_create_process.send(sender=None)
    gc.unfreeze()
    # When
    worker_before_create_process.send(sender=None)
    # Then
    assert gc.get_freeze_count() == 0
