"""Jobs and runs, as far as the pipeline must know them."""

from dataclasses import dataclass
from datetime import UTC, datetime

MAX_ID = 2**31 - 1
"""The platform's ids are 32-bit integers."""

CREATED = "CREATED"
SUBMITTED = "SUBMITTED"
"""Names of the job's status before and after `submit_job`."""
DONE = "DONE"
"""The name of a run's status once its results are stored."""


def as_utc(moment: datetime) -> datetime:
    """Return the same moment in UTC; a naive time is UTC already."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def as_utc_second(moment: datetime) -> datetime:
    """Return the same moment in UTC without sub-seconds; a naive time is UTC already."""
    return as_utc(moment).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Job:
    """A job of the platform.

    Attributes: the locations are URLs as the platform keeps them, of whatever form.
    """

    id: int
    created_at: datetime
    user_id: int | None = None
    status: str | None = None
    config_location: str | None = None
    input_location: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "created_at", as_utc_second(self.created_at))


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a job.

    Attributes: the URLs are as the platform keeps them, of whatever form.
    """

    id: int
    job_id: int
    status: str | None = None
    config_url: str | None = None
    results_url: str | None = None
