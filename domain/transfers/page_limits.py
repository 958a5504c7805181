"""The limits of a page of uploads."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLimits:
    """How much a page may hold, and for how long.

    Attributes:
        size: uploads at most.
        threads: that upload at the same time.
        begin_seconds: an upload that was not begun by then is given back.
        record_rows: so many finished uploads are recorded at once.
        record_seconds: a finished upload waits no longer to be recorded.
    """

    size: int
    threads: int
    begin_seconds: float = 0.1
    record_rows: int = 32
    record_seconds: float = 0.05
