"""The pipeline's records in Redis: keys that begin with `artifacts.`."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import Redis

from artifact_pipeline.tasks.dead_letters import DeadLetter, parsed_text
from artifact_pipeline.tasks.keys import own_client, own_key, wake_key
from artifact_pipeline.tasks.moments import SKEW, moment_of

DEAD_LETTERS = "artifacts.dead_letters"
_PROBE = "artifacts.probe"
_EPOCH = "artifacts.remembers_since"
"""Brokers in use have it under this name: another one would look like a broker that forgot all."""
_DISPATCHED = "artifacts.dispatched_at"
# Long enough to show since when beat is away; an unused broker drops the key.
_DISPATCHED_KEPT = timedelta(days=7)
_BEGAN = "artifacts.began."
_BINDINGS = ("keyprefix_queue", "keyprefix_binding_permanent")
"""Attributes of a channel; earlier versions of kombu have the first alone."""
_MICROSECONDS = 1_000_000
# Start with the oldest, by commands that a worker needs anyway. KEYS: the list. ARGV: the age of a
# letter that is deleted, in seconds.
_PRUNE = """
local until_, pruned = redis.call('TIME')[1] - ARGV[1], 0
while true do
    local oldest = redis.call('RPOP', KEYS[1])
    if not oldest then return pruned end
    local at = tonumber(string.match(oldest, '^(%d+) '))
    if at and at > until_ then
        redis.call('RPUSH', KEYS[1], oldest)
        return pruned
    end
    pruned = pruned + 1
end
"""


class RedisRecords:
    """The keys, by a client that adds no prefix."""

    def __init__(self, channel: Any) -> None:  # noqa: ANN401 - of kombu
        self._channel = channel
        self._client: Any = own_client(channel)

    def check_writes(self) -> None:
        self._channel.client.set(_PROBE, "", px=1)

    def check_removals(self) -> None:
        check_removals(self._channel.client)

    def depth(self, queue: str) -> int:
        # Do not declare the queue: with a prefix, kombu looks for its key without the prefix.
        depth: int = self._channel._size(queue)  # noqa: SLF001 - kombu's `queue_declare` calls it
        return depth

    def forget(self, queue: str) -> None:
        # kombu keeps a binding for each queue without end.
        bindings = [getattr(self._channel, name, None) for name in _BINDINGS]
        names = [queue, wake_key(queue), *(each % queue for each in bindings if each)]
        self._client.delete(*(own_key(self._channel, name) for name in names))

    def epoch(self, clock: Callable[[], datetime]) -> datetime:
        """Return the moment that is kept in the broker.

        After a FLUSHALL, or a restart without its data, it has none, and gets a new one. So does a
        master that sentinels have promoted: it may lack the last messages of the one before.
        """
        client, key = self._client, self._key(_EPOCH)
        kept: Any = client.get(key)
        moment, _, master = (kept or b"").partition(b" ")
        current = _master_of(client)
        known = moment_of(moment) if master == current else None
        if known is not None and known <= clock() + SKEW:
            return known
        # Read the key first, then the clock, then write the moment if the key is still there: it
        # must not name a moment before a flush. If several do so at once, any may win.
        client.set(key, "")
        begins = clock()
        client.set(key, b" ".join(filter(None, (begins.isoformat().encode(), current))), xx=True)
        return begins

    def note_dispatch(self, at: datetime) -> None:
        self._client.set(self._key(_DISPATCHED), at.isoformat(), ex=_DISPATCHED_KEPT)

    def last_dispatch(self) -> datetime | None:
        kept: Any = self._client.get(self._key(_DISPATCHED))
        return moment_of(kept)

    def take_turn(self, task: str, pause: timedelta) -> bool:
        """Tell it by the broker's clock, and not by this worker's.

        A moment in the future, as after that clock was set back, counts for nothing.
        """
        key = self._key(f"{_BEGAN}{task}")
        pipe = self._client.pipeline()
        (seconds, microseconds), began = pipe.time().get(key).execute()
        now = seconds * _MICROSECONDS + microseconds
        age = timedelta(microseconds=now - _number(began))
        if timedelta(0) <= age < pause:
            return False
        self._client.set(key, now)
        return True

    def count_letters(self) -> int:
        return int(self._client.llen(self._key(DEAD_LETTERS)))

    def letters(self, limit: int) -> list[DeadLetter]:
        return [letter for _raw, letter in self._letters(limit)]

    def discard_letters(self, is_discarded: Callable[[DeadLetter], bool]) -> int:
        found = [raw for raw, letter in self._letters(0) if is_discarded(letter)]
        key = self._key(DEAD_LETTERS)
        return sum(int(self._client.lrem(key, 1, raw)) for raw in found)

    def prune_letters(self, older_than: timedelta) -> int:
        seconds = int(older_than.total_seconds())
        return int(self._client.eval(_PRUNE, 1, self._key(DEAD_LETTERS), seconds))

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._client.time()[0], UTC)

    def _letters(self, limit: int) -> Iterator[tuple[bytes, DeadLetter]]:
        kept: Any = self._client.lrange(self._key(DEAD_LETTERS), 0, limit - 1)
        for raw in kept:
            if letter := parsed_text(raw):
                yield raw, letter

    def _key(self, name: str) -> str:
        return own_key(self._channel, name)


def check_removals(client: Any) -> None:  # noqa: ANN401 - of redis-py
    """Try a write that a broker allows whose memory is full. Raises: ResponseError."""
    client.pexpire(_PROBE, 1)


def _master_of(client: Redis) -> bytes:
    """Return the address of the master that sentinels name; empty for other brokers."""
    host, port = getattr(client.connection_pool, "master_address", None) or ("", "")
    return f"{host}:{port}".encode() if host else b""


def _number(text: bytes | None) -> int:
    return int(text) if text and text.isdigit() else 0
