"""Moments that are kept as text."""

from datetime import datetime, timedelta

SKEW = timedelta(minutes=1)
"""A moment that lies farther ahead was not written by us."""


def moment_of(text: bytes | None) -> datetime | None:
    """Return the moment that the broker keeps as this text, or None if it is no moment."""
    try:
        moment = datetime.fromisoformat((text or b"").decode())
    except ValueError:
        return None
    return moment if moment.tzinfo else None
