"""Faults at random: which, and in what order, only the seed decides."""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.publish import publish
from artifact_pipeline.worker.embedded.process import ManagedProcess
from artifact_pipeline.worker.sql.tables import TransferRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from tests.faults.fleet import Fleet
from tests.faults.s3_proxy import S3Fault

logger = logging.getLogger(__name__)

# Of each request to S3.
S3_FAULTS = {
    S3Fault.SLOW_DOWN: 0.02,
    S3Fault.RESET: 0.01,
    S3Fault.CUT_REQUEST: 0.01,
    S3Fault.TIME_OUT: 0.002,
    S3Fault.LOST_ANSWER: 0.01,
    S3Fault.TRUNCATED_ANSWER: 0.005,
    S3Fault.WRONG_CHECKSUM: 0.01,
    S3Fault.CORRUPTED_BODY: 0.002,
}
_DUPLICATES = 50
_LEASE_AND_MORE = 7.0


class Chaos:
    """Inflicts one fault after another until it is stopped.

    Args:
        only: names of the faults; by default all.

    Attributes:
        done: how often each fault was inflicted.
        duplicates: messages that were sent a second time.
    """

    def __init__(self, fleet: Fleet, seed: int, pause: float, only: Collection[str] = ()) -> None:
        self.done: Counter[str] = Counter()
        self.duplicates = 0
        self._fleet = fleet
        self._rng = random.Random(seed)
        self._pause = pause
        self._only = only
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos")
        self._failure: BaseException | None = None
        self._app = make_app(fleet.broker.direct)

    def start(self) -> None:
        self._fleet.faulty_s3.at_random(self._rng.getrandbits(32), S3_FAULTS)
        self._thread.start()

    def stop(self) -> None:
        """No more faults; everything is healed."""
        self._ended.set()
        self._thread.join()
        self._fleet.heal()
        if self._failure is not None:
            raise self._failure

    def has_done(self, share: float) -> bool:
        """Return whether at least that share of the faults was inflicted, each at least once."""
        return len(self.done) >= share * len(self._actions())

    def _run(self) -> None:
        try:
            for name, action in self._shuffled_decks():
                if self._ended.wait(self._rng.uniform(0.5, 1.5) * self._pause):
                    return
                logger.info("fault: %s", name)
                action()
                self.done[name] += 1
        except BaseException as error:  # noqa: BLE001 - raised again where the driver waits
            self._failure = error

    def _shuffled_decks(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """Each fault once in a random order, then each once more, and so on."""
        while True:
            deck = list(self._actions().items())
            self._rng.shuffle(deck)
            yield from deck

    def _actions(self) -> dict[str, Callable[[], object]]:
        fleet = self._fleet
        every: dict[str, Callable[[], object]] = {
            "worker killed": lambda: fleet.kill(self._worker()),
            "child killed": lambda: fleet.kill_child(self._worker(), self._rng),
            "parent killed alone": lambda: fleet.kill_parent(self._worker()),
            "worker stopped": lambda: fleet.stop(self._worker()),
            "worker frozen": lambda: fleet.freeze(self._worker(), self._ended, _LEASE_AND_MORE),
            "beat killed": lambda: fleet.kill(self._rng.choice(fleet.beats)),
            **fleet.broker.faults(self._for_a_while, self._rng),
            "PostgreSQL restarted": fleet.postgres.restart,
            "PostgreSQL cut": fleet.sql_proxy.cut,
            "PostgreSQL half open": lambda: self._for_a_while(fleet.sql_proxy.half_open),
            "PostgreSQL slow": lambda: self._for_a_while(lambda: fleet.sql_proxy.delay(0.2)),
            "S3 away": lambda: self._for_a_while(fleet.s3_proxy.refuse),
            "S3 cut": fleet.s3_proxy.cut,
            "S3 half open": lambda: self._for_a_while(fleet.s3_proxy.half_open),
            "S3 throttled": lambda: self._for_a_while(lambda: fleet.s3_proxy.throttle(2**20)),
            "share unmounted": lambda: self._for_a_while(fleet.unmount),
            "messages delivered twice": self._duplicate,
        }
        return {name: every[name] for name in self._only or every}

    def _worker(self) -> ManagedProcess:
        return self._rng.choice(self._fleet.workers)

    def _for_a_while(self, trouble: Callable[[], object]) -> None:
        trouble()
        self._ended.wait(self._rng.uniform(1, 3))
        self._fleet.heal_servers()
        self._fleet.mount()

    def _duplicate(self) -> None:
        """Some messages again, of transfers that wait, run or are done alike."""
        try:
            with self._fleet.engine.connect() as connection:
                last = connection.scalar(select(func.max(TransferRow.id))) or 1
            ids = [self._rng.randint(1, last) for _ in range(_DUPLICATES)]
            transfers = SqlTransfers(self._fleet.engine).get_many(ids)
            publish(transfers, self._app)
            self.duplicates += len(transfers)
        except (PipelineError, SQLAlchemyError) as error:
            logger.info("no duplicates: %s", type(error).__name__)
