"""`artifacts jobs hold`: what is on legal hold stays as it is."""

import pytest

from tests.cli.commands import Command
from tests.cli.shelf import CONFIG, RESULTS, Shelf, key_of

pytestmark = pytest.mark.processes

NO_LOCK = "the store has no Object Lock: only commands of the pipeline keep to it"
SET = ("jobs", "hold", "set", "12", "--reason", "case 7")
RELEASE = ("jobs", "hold", "release", "12", "--reason", "case 7 is over")


@pytest.fixture
def locks(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The commands see a bucket with Object Lock."""
    bucket = f"{shelf.bucket}-locks"
    shelf.client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    monkeypatch.setenv("ARTIFACTS_BUCKET", bucket)
    return Shelf(engine=shelf.engine, client=shelf.client, bucket=bucket, url=shelf.url)


def status_of(shelf: Shelf, key: str) -> str:
    answer = shelf.client.get_object_legal_hold(Bucket=shelf.bucket, Key=key)
    return answer["LegalHold"].get("Status", "OFF")


@pytest.mark.usefixtures("shelf")
def test_a_hold_is_shown_with_who_and_why(artifacts: Command) -> None:
    # When
    answer = artifacts(*SET, "--actor", "ann")
    # Then
    assert (answer.status, answer.out) == (0, f"job 12 is on legal hold; {NO_LOCK}\n")
    [hold] = artifacts("jobs", "hold", "list", "--json").json
    assert (hold["job_id"], hold["held_by"], hold["reason"]) == (12, "ann", "case 7")
    assert artifacts(*SET).out.startswith("job 12 was on legal hold already")


@pytest.mark.usefixtures("shelf")
def test_a_release_ends_it_and_both_are_in_the_history(artifacts: Command) -> None:
    # Given
    artifacts(*SET, "--actor", "ann")
    # When
    answer = artifacts(*RELEASE, "--actor", "bob")
    # Then
    assert answer.out == f"job 12 is not on legal hold any more; {NO_LOCK}\n"
    assert artifacts("jobs", "hold", "list").out == "no job is on legal hold\n"
    rows = artifacts("history", "12", "--json").json
    assert [(row["what"], row["by"], row["reason"]) for row in rows] == [
        ("hold set", "ann", "case 7"),
        ("hold release", "bob", "case 7 is over"),
    ]


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("reason", ["", "  "])
def test_a_reason_is_needed(artifacts: Command, reason: str) -> None:
    answer = artifacts("jobs", "hold", "set", "12", "--reason", reason)
    assert (answer.status, artifacts("jobs", "hold", "list", "--json").json) == (1, [])
    assert answer.error.startswith("artifacts: the reason is empty")


@pytest.mark.usefixtures("shelf")
def test_an_unknown_job_is_named(artifacts: Command) -> None:
    answer = artifacts("jobs", "hold", "set", "99", "--reason", "case 7")
    assert (answer.status, answer.error) == (1, "artifacts: there is no job 99")


def test_what_is_held_is_not_archived(artifacts: Command, shelf: Shelf) -> None:
    # Given
    shelf.record(CONFIG, b"config")
    artifacts(*SET)
    # When
    answer = artifacts("jobs", "uploads", "archive", "12", "--reason", "old")
    # Then
    assert answer.status == 1
    assert answer.error.startswith("artifacts: job 12 is on legal hold since ")
    assert shelf.storage_class(CONFIG) == "STANDARD"
    last = artifacts("history", "12", "--json").json[-1]
    assert (last["what"], last["outcome"]) == ("uploads archive", "refused")
    assert "legal_hold: job 12 is on legal hold" in last["detail"]


def test_old_copies_of_what_is_held_are_not_deleted(artifacts: Command, shelf: Shelf) -> None:
    # Given
    old = shelf.put_old(CONFIG, b"config")
    artifacts(*SET)
    # When
    answer = artifacts("jobs", "uploads", "relocate", "12", "--delete-old")
    # Then: it is copied, and nothing is deleted
    assert answer.status == 1
    assert "job 12 is on legal hold" in answer.err
    assert shelf.keys() == {old, key_of(CONFIG)}


def test_objects_are_locked_where_the_bucket_has_object_lock(
    artifacts: Command, locks: Shelf
) -> None:
    # Given
    key = locks.put(CONFIG, b"config")
    # When
    answer = artifacts(*SET)
    # Then
    assert answer.out == "job 12 is on legal hold; versions of objects locked: 1\n"
    assert status_of(locks, key) == "ON"
    # When: what was stored since is locked by the next one
    later = locks.put(RESULTS, b"results")
    assert artifacts(*SET, "--json").json["changed"] == 2
    assert status_of(locks, later) == "ON"
    # When
    released = artifacts(*RELEASE)
    # Then
    assert released.out == "job 12 is not on legal hold any more; versions of objects released: 2\n"
    assert [status_of(locks, each) for each in (key, later)] == ["OFF", "OFF"]
