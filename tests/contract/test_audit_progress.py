"""How far the periodic audit is, in memory and on SQL."""

from datetime import timedelta

import pytest

from artifact_pipeline.domain.model.audit_cursor import AuditClaim
from tests.contract.repositories import Repositories

pytestmark = pytest.mark.processes

AT_ONCE = timedelta(0)
HOUR = timedelta(hours=1)


def begun(repositories: Repositories, lease: timedelta = HOUR) -> AuditClaim:
    claim = repositories.progress.begin(lease, HOUR)
    assert claim is not None
    return claim


def test_an_audit_continues_where_it_was_kept(repositories: Repositories) -> None:
    # Given
    first = begun(repositories)
    first.cursor.after_key = "jobs/12/"
    first.cursor.seen.add(12)
    first.cursor.counts.update(objects=3, missing=1)
    assert repositories.progress.keep(first, HOUR)
    # When
    assert repositories.progress.begin(HOUR, HOUR) is None  # another worker waits
    repositories.progress.release(first)
    second = begun(repositories)
    # Then
    assert second.cursor.dump() == first.cursor.dump()


def test_the_audit_of_a_worker_that_died_is_taken_over(repositories: Repositories) -> None:
    # Given
    dead = begun(repositories, lease=AT_ONCE)
    # When
    heir = begun(repositories)
    # Then the dead one notes nothing any more
    dead.cursor.after_key = None
    assert not repositories.progress.keep(dead, HOUR)
    repositories.progress.finish(dead)
    repositories.progress.release(dead)
    assert repositories.progress.begin(HOUR, AT_ONCE) is None
    assert repositories.progress.keep(heir, HOUR)


def test_the_next_audit_begins_after_a_pause(repositories: Repositories) -> None:
    # Given
    claim = begun(repositories)
    claim.cursor.after_key = None
    claim.cursor.counts.update(objects=3)
    repositories.progress.finish(claim)
    # When / Then
    assert repositories.progress.begin(HOUR, HOUR) is None
    following = repositories.progress.begin(HOUR, AT_ONCE)
    assert following is not None
    assert (following.cursor.after_key, following.cursor.counts) == ("", {})
