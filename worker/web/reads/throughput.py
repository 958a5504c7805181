"""What ended in the last week, minute by minute, kept so that each minute is read once."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock

from sqlalchemy import Connection, Engine

from artifact_pipeline.worker.sql.ended_minutes import EndedMinute, ended_minutes
from artifact_pipeline.worker.sql.engine import autocommit
from artifact_pipeline.worker.web.api.models.overview import Bucket, Span, Throughput

_HOUR = 60
"""Minutes."""
_SETTLED = 2
"""Minutes after which no transaction that records an end is still open."""
_BUDGET_SECONDS = 0.03
_SPANS = {Span.HOUR: (1, 60), Span.DAY: (15, 96), Span.WEEK: (120, 84)}
"""Minutes of a bucket, and how many buckets there are."""
_MOST_HOURS = 6
"""Hours that one statement reads; they may have a hundred thousand transfers."""
_KEPT_HOURS = 7 * 24 + 2
_RECENT = 2
"""Hours that may not be over: this one, and the last one until it has settled."""


@dataclass(slots=True)
class _Hour:
    """An hour of history. Attributes: `read_to` is the minute when it was read last."""

    minutes: dict[int, EndedMinute] = field(default_factory=dict)
    read_to: int = 0


class ThroughputHistory:
    """Counts what ended, a few hours at each look, the newest first.

    A look reads the last minutes again, and for at most a few hundredths of a second some older
    hours that are not known yet. So no look costs more than a few hours' transfers, however many
    there are.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._hours: dict[int, _Hour] = {}
        self._lock = Lock()

    def look(self, now: datetime) -> list[Throughput]:
        """Read what is new, and return all charts. Args: `now` by the database's clock."""
        minute = int(now.timestamp()) // 60
        with self._lock:
            self._read(minute)
            return [self._chart(span, minute) for span in Span]

    def _read(self, now: int) -> None:
        first, until = now // _HOUR - _KEPT_HOURS + 1, self._clock() + _BUDGET_SECONDS
        self._hours = {hour: each for hour, each in self._hours.items() if hour >= first}
        with autocommit(self._engine) as connection:
            unread = [hour for hour in range(now // _HOUR, first - 1, -1) if self._is_open(hour)]
            recent, older = _newest(unread, _RECENT)
            self._read_hours(connection, recent, now)
            stride = 1
            # At least one, so that a slow database is read to the end as well.
            while older:
                hours, older = _newest(older, stride)
                self._read_hours(connection, hours, now)
                if self._clock() > until:
                    break
                stride = min(2 * stride, _MOST_HOURS)

    def _is_open(self, number: int) -> bool:
        """Return whether the hour was not read after its end."""
        hour = self._hours.get(number)
        return hour is None or hour.read_to < (number + 1) * _HOUR + _SETTLED

    def _read_hours(self, connection: Connection, hours: Sequence[int], now: int) -> None:
        """Read hours that follow one another; only the newest may be known in part."""
        oldest = self._hours.setdefault(hours[-1], _Hour())
        begin = max(hours[-1] * _HOUR, oldest.read_to - _SETTLED)
        for number in hours:
            hour = self._hours.setdefault(number, _Hour())
            for minute in [each for each in hour.minutes if each >= begin]:
                del hour.minutes[minute]
            hour.read_to = now
        end = (hours[0] + 1) * _HOUR
        for each in ended_minutes(connection, _moment(begin), _moment(end)):
            self._hours[each.minute // _HOUR].minutes[each.minute] = each

    def _chart(self, span: Span, now: int) -> Throughput:
        width, number = _SPANS[span]
        first = (now // width - number + 1) * width
        known = self._known_since(now)
        return Throughput(
            span=span,
            bucket_seconds=width * 60,
            buckets=[self._bucket(first + n * width, width) for n in range(number)],
            is_complete=known <= first,
            known_since=None if known <= first else _moment(known),
        )

    def _known_since(self, now: int) -> int:
        number = now // _HOUR
        while (hour := self._hours.get(number)) is not None:
            if hour.read_to < min(now, (number + 1) * _HOUR + _SETTLED):
                break
            number -= 1
        return (number + 1) * _HOUR

    def _bucket(self, start: int, width: int) -> Bucket:
        minutes = list(self._minutes(start, width))
        return Bucket(
            start=_moment(start),
            transfers=sum(each.transfers for each in minutes),
            moved=sum(each.bytes_moved for each in minutes),
            failures=sum(each.failures for each in minutes),
        )

    def _minutes(self, start: int, width: int) -> Iterator[EndedMinute]:
        for minute in range(start, start + width):
            hour = self._hours.get(minute // _HOUR)
            if hour is not None and minute in hour.minutes:
                yield hour.minutes[minute]


def _newest(hours: Sequence[int], most: int) -> tuple[Sequence[int], Sequence[int]]:
    """Return the first hours that follow one another, the newest first, and the rest."""
    number = 1
    while number < min(most, len(hours)) and hours[number] == hours[number - 1] - 1:
        number += 1
    return hours[:number], hours[number:]


def _moment(minute: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(minutes=minute)
