"""Durations as text for people."""

from datetime import timedelta

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


def age(passed: timedelta) -> str:
    """Return the duration in its largest full unit, such as `20m`."""
    seconds = max(0, int(passed.total_seconds()))
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
