"""The hours of the day in which a batch releases its members."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Self
from zoneinfo import ZoneInfo

from artifact_pipeline.domain.errors import InvalidRequestError

MAX_ZONE = 64
_FORM = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]|24(?=:00)):([0-5]\d)")
_DAY = timedelta(days=1)
_DAYS_AHEAD = 3_660
"""Work that takes longer than ten years has no estimate."""


@dataclass(frozen=True, slots=True)
class ReleaseWindow:
    """A part of each day, which may go over midnight.

    Attributes:
        begin: by the clock of the zone.
        end: the first minute after it; an end at or before the begin is on the next day.
        zone: the name of a time zone, such as `Europe/Berlin`.
    """

    begin: time
    end: time
    zone: str = "UTC"

    @classmethod
    def of(cls, hours: str, zone: str = "UTC") -> Self:
        """Return the window of hours such as `22:00-06:00`; `always` is no window.

        Raises: InvalidRequestError.
        """
        if hours == "always":
            return cls(time(), time())
        match = _FORM.fullmatch(hours.strip())
        if match is None:
            raise InvalidRequestError(f"{hours}: use hours such as 22:00-06:00")
        begins, minute, ends, end_minute = map(int, match.groups())
        window = cls(time(begins, minute), time(ends % 24, end_minute), zone)
        if window.begin == window.end:
            raise InvalidRequestError(f"{hours}: begin and end are the same; give a part of a day")
        _zone(zone)
        return window

    @classmethod
    def given(cls, hours: str | None, zone: str | None) -> Self | None:
        """Return the window of a request; None if it has none. Raises: as `of`."""
        if hours is not None:
            return cls.of(hours, zone or "UTC")
        if zone is not None:
            raise InvalidRequestError(f"timezone {zone}: it is of between: give both")
        return None

    @property
    def hours(self) -> str:
        """The hours as they are given."""
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"

    def __str__(self) -> str:
        return "any hour" if self == ALWAYS else f"{self.hours} {self.zone}"

    def openings(self, since: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the begin and end of each window from a moment on, in UTC; the first may be cut.

        Raises: InvalidRequestError: this host does not know the zone.
        """
        zone = _zone(self.zone)
        day = since.astimezone(zone).date() - _DAY
        length = _DAY if self.end <= self.begin else timedelta(0)
        while True:
            begin = datetime.combine(day, self.begin, zone).astimezone(UTC)
            end = datetime.combine(day + length, self.end, zone).astimezone(UTC)
            # A clock that is put forward can leave nothing of a short window.
            if max(begin, since) < end:
                yield max(begin, since), end
            day += _DAY

    def opens_at(self, now: datetime) -> datetime:
        """Return when members may be released: now, or at the next begin."""
        return next(self.openings(now))[0]

    def is_open(self, now: datetime) -> bool:
        return self.opens_at(now) <= now

    def open_time(self, begin: datetime, end: datetime) -> timedelta:
        """Return how long the window is open between two moments."""
        total = timedelta(0)
        for opens, closes in self.openings(begin):
            if opens >= end:
                return total
            total += min(closes, end) - opens
        return total

    def end_of(self, work: timedelta, now: datetime) -> datetime | None:
        """Return when work that begins now and rests outside the window ends."""
        for opens, closes in islice(self.openings(now), _DAYS_AHEAD):
            if work <= closes - opens:
                return opens + work
            work -= closes - opens
        return None


ALWAYS = ReleaseWindow(time(), time())
"""No window: a change to it lets members be released at any hour."""


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    # The name is a path of files, so the system refuses some names in its own ways.
    except (LookupError, ValueError, OSError):
        raise InvalidRequestError(
            f"{name[:MAX_ZONE]!r} is no time zone that this host knows. Use a name such as"
            " Europe/Berlin, or install the package tzdata"
        ) from None
