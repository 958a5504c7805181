"""What a worker's children share with their parent."""

import gc
from typing import Any

from celery.signals import worker_before_create_process


def share_memory_with_children() -> None:
    """Have what is loaded left out of every search for garbage, before the first child is forked.

    Celery searches before each fork, which takes a tenth of a second for what this process has
    loaded. A search in a child would write into all pages that it shares with its parent, and so
    copy them: https://docs.python.org/3/library/gc.html#gc.freeze.
    """
    worker_before_create_process.connect(_freeze, weak=False)


def _freeze(**_signal: Any) -> None:  # noqa: ANN401 - Celery's signal
    # Only once: what is garbage at a later fork would never be freed.
    worker_before_create_process.disconnect(_freeze)
    gc.freeze()
