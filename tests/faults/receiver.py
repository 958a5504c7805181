"""A receiver of webhooks that fails at random, and keeps what it took."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from artifact_pipeline import ArtifactEvent, verify_webhook
from tests.s3.recording_server import LOST, Recorded, RecordingServer, Said, recording

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_FAILURES = {503: 0.08, 500: 0.03}
_LOST_ANSWERS = 0.05


class Receiver:
    """Of all events of the fleet.

    Attributes:
        events: that were taken, by their ids.
        deliveries: how often each was delivered.
        changed: ids that came with another content than before.
    """

    def __init__(self, server: RecordingServer, seed: int = 1) -> None:
        self.events: dict[str, ArtifactEvent] = {}
        self.deliveries: Counter[str] = Counter()
        self.changed: set[str] = set()
        self.url = f"{server.url}/events"
        self.is_well = False
        self._rng = random.Random(seed)
        self._lock = threading.Lock()

    def answer(self, request: Recorded) -> Said:
        """Take the event, or fail; sometimes the answer is lost after it was taken."""
        event = verify_webhook(request.headers, request.body, SECRET)
        with self._lock:
            for status, share in _FAILURES.items():
                if not self.is_well and self._rng.random() < share:
                    return Said(status)
            if self.events.setdefault(event.id, event) != event:
                self.changed.add(event.id)
            self.deliveries[event.id] += 1
            is_lost = not self.is_well and self._rng.random() < _LOST_ANSWERS
            return LOST if is_lost else Said(204)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Yield a receiver on a free port."""
    with recording() as server:
        receiver = Receiver(server)
        server.answer = receiver.answer  # type: ignore[method-assign] # what it does here
        yield receiver
