"""How old an upload must be to be archived."""

from datetime import timedelta

from artifact_pipeline.domain.errors import InvalidRequestError


def age_of(days: float | None, hours: float | None) -> timedelta:
    """Return the age that the options ask for; where both are given, the hours count.

    Raises:
        InvalidRequestError: zero hours stand beside days, and would take everything.
    """
    if days and hours == 0:
        raise InvalidRequestError(
            f"hours_since_create is 0 and days_since_create is {days:g}: the hours count, so "
            "everything would be archived; leave one of them out"
        )
    return timedelta(days=days or 0) if hours is None else timedelta(hours=hours)
