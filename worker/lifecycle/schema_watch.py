"""A pause of a worker whose database has changed: it takes no message that it could not record.

Each message would come back after a while, and be sent again, by every worker.
"""

import logging
import time
from collections.abc import Callable
from threading import Lock, Thread

from artifact_pipeline.domain.errors import MigrationPendingError, PipelineError
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.lifecycle.fork_lock import ForkLock
from artifact_pipeline.worker.lifecycle.liveness import Liveness

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 5.0


class SchemaWatch:
    """Stops a worker from taking messages while the database's tables are not as needed.

    Args:
        reach: raises MigrationPendingError while they are not.
        liveness: shows what the worker waits for.
        pause: between two looks.
    """

    def __init__(
        self,
        reach: Callable[[], None],
        liveness: Liveness | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._reach = reach
        self._liveness = liveness
        self._pause = pause
        self._looking = ForkLock()
        self._starting = Lock()
        self._waits = False

    def may_take(self) -> bool:
        return not self._waits

    def failed(self, error: BaseException) -> None:
        """Wait if the failure was the schema's."""
        if not isinstance(error, MigrationPendingError):
            return
        with self._starting:
            if self._waits:
                return
            self._waits = True
            if self._liveness:
                self._liveness.waits(f"database: {redact(str(error))}")
        logger.error("no message is taken until this is corrected: %s", redact(str(error)))
        Thread(target=self._wait, name="schema", daemon=True).start()

    def _wait(self) -> None:
        while True:
            self._pause(_PAUSE_SECONDS)
            if self._is_healthy():
                break
        with self._starting:
            # Keep this order, and finish before another failure arrives: otherwise its sign that
            # the worker waits would be removed.
            if self._liveness:
                self._liveness.starts()
            self._waits = False
        logger.warning("messages are taken again: the database has all that is needed")

    def _is_healthy(self) -> bool:
        try:
            with self._looking:
                self._reach()
        except PipelineError as error:
            logger.warning("no message is taken yet: %s", redact(str(error)))
            return False
        except Exception:
            # Otherwise nothing would be taken until a restart.
            logger.exception("the database could not be checked")
        return True
