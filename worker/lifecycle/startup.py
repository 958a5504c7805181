"""What a worker looks at before it takes its first message.

A worker with wrong settings would take messages and fail all of them, so it ends instead. One whose
servers are away for now waits for them, and leaves the messages to others.
"""

import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from celery.signals import beat_init, celeryd_after_setup

from artifact_pipeline.domain.errors import (
    ConfigurationError,
    MigrationPendingError,
    PermanentError,
    PipelineError,
)
from artifact_pipeline.domain.redaction import hide_credentials, redact
from artifact_pipeline.tasks.routing import UPKEEP
from artifact_pipeline.worker.lifecycle.liveness import Liveness
from artifact_pipeline.worker.lifecycle.start_parts import SHARE

logger = logging.getLogger(__name__)

Reach = Callable[[], None]

_FIRST_PAUSE_SECONDS = 1.0
# Well below the age at which `health live` calls the process dead.
_LONGEST_PAUSE_SECONDS = 10.0
_ENDINGS = (signal.SIGTERM, signal.SIGINT)


class WrongError(ConfigurationError):
    """What has to be changed before a worker can do anything."""


def check_worker_on_start(parts: Mapping[str, Reach], liveness: Liveness | None = None) -> None:
    """Have a worker of this process look at the parts before it forks its children.

    The signal is sent once logging is set up, before any connection is made and any child forked.
    """

    def check(instance: Any, **_signal: Any) -> None:  # noqa: ANN401 - Celery's signal
        end_or_wait(_needed(parts, instance.app), liveness, logfile=instance.logfile)

    celeryd_after_setup.connect(check, weak=False)


def _needed(parts: Mapping[str, Reach], app: Any) -> Mapping[str, Reach]:  # noqa: ANN401 - Celery's
    # The dispatch must go on while a share is away, and on a host that has none.
    is_upkeep = set(app.amqp.queues.consume_from) == {UPKEEP}
    return {name: reach for name, reach in parts.items() if not (is_upkeep and name == SHARE)}


def check_beat_on_start(parts: Mapping[str, Reach], liveness: Liveness | None = None) -> None:
    """Have beat look at the parts before it sends anything."""

    def check(**_signal: Any) -> None:  # noqa: ANN401 - Celery's signal
        end_or_wait(parts, liveness)

    beat_init.connect(check, weak=False)


def end_or_wait(
    parts: Mapping[str, Reach], liveness: Liveness | None = None, *, logfile: str | None = None
) -> None:
    """Return once every part could be reached; end this process if a setting is wrong.

    Args:
        parts: what to look at, by name.
        liveness: is notified of each check.
        logfile: of this process, if it has one: the reason is logged as well.
    """
    try:
        with _ended_by_signals():
            wait_until_reached(parts, liveness)
    except WrongError as wrong:
        if logfile:
            logger.critical("%s", wrong)
        # Beat's own stderr is its log by now.
        print(f"artifacts: {wrong}", file=sys.__stderr__, flush=True)
        sys.exit(1)


def wait_until_reached(
    parts: Mapping[str, Reach],
    liveness: Liveness | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Return once every part could be reached.

    Raises:
        WrongError: a part stays unreachable until a setting changes.
    """
    away = _away(parts)
    seconds = _FIRST_PAUSE_SECONDS
    while away:
        why = "; ".join(f"{name}: {reason}" for name, reason in away.items())
        logger.warning("not started yet, the next look is in %.0f s: %s", seconds, why)
        if liveness:
            liveness.waits(why)
        pause(seconds)
        seconds = min(2 * seconds, _LONGEST_PAUSE_SECONDS)
        # The others are not asked again: together they may take longer than a health check allows.
        away = _away({name: parts[name] for name in away}, liveness)
    if liveness:
        liveness.starts()


def _away(parts: Mapping[str, Reach], liveness: Liveness | None = None) -> dict[str, str]:
    """Look at every part, so that a wrong setting is found even while another part is away."""
    away = {}
    for name, reach in parts.items():
        if liveness:
            liveness.note()
        try:
            reach()
        except MigrationPendingError as passing:
            # A migration brings it, which may be started after the workers.
            away[name] = redact(str(passing))
        except (ConfigurationError, PermanentError) as wrong:
            raise WrongError(f"{name}: {hide_credentials(str(wrong))}") from wrong
        except PipelineError as passing:
            away[name] = redact(str(passing))
    return away


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End at once when asked to: nothing was taken yet, and Celery's handlers come later."""

    def end(_number: int, _frame: object) -> NoReturn:
        sys.exit(0)

    before = {number: signal.signal(number, end) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
