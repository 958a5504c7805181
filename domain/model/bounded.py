"""Types of what a client sends: each value is one that a column of the database can have."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from artifact_pipeline.domain.model.jobs import MAX_ID

MAX_ROW_ID = 2**63 - 1
"""Of a transfer, a batch or an operator's action."""
MAX_AGE = timedelta(days=36_500)
_MAX_SURROGATE, _MIN_SURROGATE = "\udfff", "\ud800"

Id = Annotated[int, Field(ge=1, le=MAX_ID)]
"""Of a job, a run or a user: the platform's."""
RowId = Annotated[int, Field(ge=1, le=MAX_ROW_ID)]
"""Of a row of the pipeline's own."""
Position = Annotated[int, Field(ge=0, le=MAX_ROW_ID)]
"""In a list; 0 is before the first."""


def is_storable(text: str) -> bool:
    """Return whether SQL can hold a text: without NUL, and without half a surrogate pair."""
    return not any(c == "\0" or _MIN_SURROGATE <= c <= _MAX_SURROGATE for c in text)


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("it has a NUL or a character that is no Unicode")
    return text


def _in_years_of_utc(moment: datetime) -> datetime:
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC, its year is not 1 to 9999") from None
    return moment


Text = Annotated[str, Field(min_length=1), AfterValidator(_storable)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_years_of_utc)]
Age = Annotated[timedelta, Field(ge=-MAX_AGE, le=MAX_AGE)]
