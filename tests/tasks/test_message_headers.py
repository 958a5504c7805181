"""Headers of other clients, which Celery itself would take."""

from datetime import UTC, datetime, timedelta

import pytest

from artifact_pipeline.tasks.message_body import RefusedError
from artifact_pipeline.tasks.message_headers import checked_headers, no_skew
from tests.integration.envelopes import KNOWN

HEADERS = {"task": KNOWN, "id": "an id"}


@pytest.mark.parametrize(("given", "kept"), [(None, 0), (0, 0), (7, 7)], ids=repr)
def test_retries_may_be_null(given: int | None, kept: int) -> None:
    assert (
        checked_headers(HEADERS | {"retries": given}, no_skew).forwarded_headers()["retries"]
        == kept
    )


def test_an_eta_hours_ahead_is_kept() -> None:
    eta = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    assert checked_headers(HEADERS | {"eta": eta}, no_skew).forwarded_headers()["eta"] == eta


def test_an_error_names_the_part_that_the_header_came_from() -> None:
    with pytest.raises(RefusedError, match=r"^body\.retries$"):
        checked_headers(HEADERS | {"retries": "many"}, no_skew, "body")
