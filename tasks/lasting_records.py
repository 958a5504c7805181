"""What is alike in the records of brokers that keep what they have taken: all but Redis."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from artifact_pipeline.tasks.dead_letters import DeadLetter, letter_fields

_FOREVER = datetime(1970, 1, 1, tzinfo=UTC)


class LastingRecords:
    """A part of the records: letters are dated by this machine if the broker tells no time."""

    def epoch(self, clock: Callable[[], datetime]) -> datetime:  # noqa: ARG002 - of the port
        """Return a moment before all: the broker keeps what it has taken.

        A queue that was purged, or has lost all its servers, is empty, and the dispatch takes an
        unclaimed request whose queue is empty for lost.
        """
        return _FOREVER

    def discard_letters(self, is_discarded: Callable[[DeadLetter], bool]) -> int:
        """Delete some; return how many there were."""
        raise NotImplementedError

    def prune_letters(self, older_than: timedelta) -> int:
        until = self.now() - older_than
        return self.discard_letters(lambda letter: letter.at <= until)

    def now(self) -> datetime:
        return _machine_time()


def letter_text(queue: str, element: bytes, reason: str) -> str:
    """Return what a queue keeps of a refused message."""
    fields = letter_fields(queue, element, reason)
    return f"{int(_machine_time().timestamp())} {json.dumps(fields)}"


def _machine_time() -> datetime:
    return datetime.now(UTC)
