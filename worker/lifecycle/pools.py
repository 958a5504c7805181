"""Which of Celery's pools a worker may have."""

import sys
from typing import Any

from celery.concurrency import get_implementation
from celery.signals import celeryd_after_setup

_IN_THE_LOOP = "it stops the main loop, so that other workers take over what this one runs"
_GREEN = "one transfer that hashes or packs bytes stops all others, and their leases expire"
_REFUSED = {"solo": _IN_THE_LOOP, "eventlet": _GREEN, "gevent": _GREEN}
_ALLOWED = {"prefork": "prefork", "thread": "threads"}
"""Names on the command line, by the modules of `celery.concurrency`."""


def refuse_other_pools() -> None:
    """End this process's worker at its start if its pool is not for transfers."""
    celeryd_after_setup.connect(_check, weak=False)


def refusal_of(pool: Any) -> str | None:  # noqa: ANN401 - an alias of Celery's, or a class
    """Return why a worker must not have this pool, or None if it may."""
    module = get_implementation(pool).__module__
    name = module.rpartition(".")[2]
    if module == f"celery.concurrency.{name}" and name in _ALLOWED:
        return None
    why = _REFUSED.get(name, "no one has tried it")
    instead = " or ".join(_ALLOWED.values())
    return f"--pool {name}: {why}. Use --pool {instead}"


def _check(instance: Any, **_signal: Any) -> None:  # noqa: ANN401 - Celery's signal
    if refusal := refusal_of(instance.pool_cls):
        print(f"artifacts: {refusal}", file=sys.__stderr__, flush=True)
        sys.exit(1)
