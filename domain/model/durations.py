"""Durations as text for people."""

from datetime import timedelta

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def age(passed: timedelta) -> str:
    """Return the duration in its largest full unit, such as `20m`."""
    return duration(passed).partition(" ")[0]


def duration(time: timedelta) -> str:
    """Return the duration in its two largest units, such as `1h 20m`."""
    seconds = max(0, int(time.total_seconds()))
    parts = []
    for unit, length in _UNITS:
        count, seconds = divmod(seconds, length)
        parts.append((count, unit))
    first = next((i for i, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count}{unit}" for count, unit in parts[first : first + 2])
