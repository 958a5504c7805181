"""Uploads to a store that ignores the conditions of writes: SQL alone is the fence."""

from collections.abc import Iterator

import pytest

from artifact_pipeline.domain.errors import AccessDeniedError, LeaseLostError, ObjectReplacedError
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.abilities import StoreAbilities
from tests.contract.copier_steps import OLD_KEY, copy
from tests.s3.steps import KEY, PART, Progress, put, random_bytes
from tests.stores.abilities_steps import Lacking, copier_adapter, lacking
from tests.stores.lacking import Lack
from tests.stores.s3_requests import Answer, Request

pytestmark = pytest.mark.processes

SMALL, LARGE = random_bytes(100), random_bytes(PART + 1)
NEWER = b"newer"
WRITES = {"PutObject", "CompleteMultipartUpload"}
each_size = pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])


@pytest.fixture
def on(ministack: Ministack) -> Iterator[Lacking]:
    abilities = StoreAbilities(conditional_writes=False)
    with lacking(ministack, Lack.CONDITIONS, abilities=abilities) as on:
        yield on


@each_size
def test_a_write_names_no_condition(on: Lacking, content: bytes) -> None:
    # Given
    sent: list[Request] = []
    on.server.before = sent.append
    # When
    first = put(on.store, content)
    put(on.store, content[::-1], replaces=first.version)
    # Then
    writes = [request for request in sent if request.operation in WRITES]
    assert len(writes) == 2
    assert not any({"if-match", "if-none-match"} & request.headers.keys() for request in writes)


@each_size
def test_the_key_is_looked_at_right_before_and_right_after(on: Lacking, content: bytes) -> None:
    put(on.store, content)
    assert on.server.requests[-3] == "HeadObject"
    assert on.server.requests[-2] in WRITES
    assert on.server.requests[-1] == "HeadObject"


@each_size
def test_what_appeared_meanwhile_is_not_replaced(on: Lacking, content: bytes) -> None:
    # Given
    on.put(KEY, NEWER)
    # When / Then
    with pytest.raises(ObjectReplacedError):
        put(on.store, content)
    assert on.body(KEY) == NEWER
    assert WRITES.isdisjoint(on.server.requests)


@each_size
def test_only_the_object_that_was_named_is_replaced(on: Lacking, content: bytes) -> None:
    # Given
    first = put(on.store, content)
    on.put(KEY, NEWER)
    # When / Then
    with pytest.raises(ObjectReplacedError):
        put(on.store, content[::-1], replaces=first.version)
    assert on.body(KEY) == NEWER


def test_an_object_that_is_gone_is_not_replaced(on: Lacking) -> None:
    # Given
    first = put(on.store, SMALL)
    on.direct.delete_object(Bucket=on.bucket, Key=KEY)
    # When / Then
    with pytest.raises(ObjectReplacedError):
        put(on.store, SMALL, replaces=first.version)
    assert on.body(KEY) is None


@each_size
def test_the_same_bytes_are_taken_for_this_upload(on: Lacking, content: bytes) -> None:
    # Given
    stored = put(on.store, content)
    on.server.requests.clear()
    # When
    again = put(on.store, content)
    # Then
    assert (again.version, again.sha256) == (stored.version, stored.sha256)
    assert WRITES.isdisjoint(on.server.requests)
    assert "Uploads" not in on.direct.list_multipart_uploads(Bucket=on.bucket)


@each_size
def test_a_lease_that_is_lost_during_the_look_stores_nothing(on: Lacking, content: bytes) -> None:
    # Given
    progress = Progress()

    def lose(request: Request) -> None:
        if request.operation == "HeadObject":
            progress._lost_at = progress.checkpoints + 1

    on.server.before = lose
    # When / Then
    with pytest.raises(LeaseLostError):
        put(on.store, content, progress)
    assert on.body(KEY) is None


@each_size
def test_a_write_of_somebody_else_right_after_is_noticed(on: Lacking, content: bytes) -> None:
    # Given
    def write(request: Request) -> None:
        if request.operation in WRITES:
            on.put(KEY, NEWER)

    on.server.after = write
    # When / Then
    with pytest.raises(ObjectReplacedError):
        put(on.store, content)
    assert on.body(KEY) == NEWER


@each_size
def test_a_write_of_somebody_else_between_the_look_and_the_write_is_lost(
    on: Lacking, content: bytes
) -> None:
    """The gap that docs/reliability.md describes."""

    # Given
    def write(request: Request) -> None:
        if request.operation in WRITES:
            on.put(KEY, NEWER)

    on.server.before = write
    # When
    stored = put(on.store, content)
    # Then the other finds that the bucket does not hold what it has recorded
    assert on.body(KEY) == content
    assert on.store.holds(stored)


def test_a_key_that_may_not_be_looked_at_after_the_write_is_no_success(on: Lacking) -> None:
    # Given
    def deny(request: Request) -> None:
        if request.operation == "PutObject":
            on.server.refuses["HeadObject"] = Answer.refusing(403, "AccessDenied")

    on.server.after = deny
    # When / Then
    with pytest.raises(AccessDeniedError):
        put(on.store, SMALL)


@pytest.mark.parametrize("content", [SMALL, LARGE, b""], ids=["small", "large", "none"])
def test_a_copy_replaces_nothing_that_appeared_meanwhile(on: Lacking, content: bytes) -> None:
    # Given
    existing = copier_adapter(on).stored(content)
    on.put(KEY, NEWER)
    on.server.requests.clear()
    # When / Then
    with pytest.raises(ObjectReplacedError):
        copy(on.copier, existing)
    assert (on.body(KEY), on.body(OLD_KEY)) == (NEWER, content)
    assert WRITES.isdisjoint(on.server.requests)


@pytest.mark.parametrize("content", [SMALL, b""], ids=["small", "none"])
def test_a_write_right_after_a_copy_is_noticed(on: Lacking, content: bytes) -> None:
    # Given
    existing = copier_adapter(on).stored(content)

    def write(request: Request) -> None:
        if request.operation in WRITES:
            on.put(KEY, NEWER)

    on.server.after = write
    # When / Then
    with pytest.raises(ObjectReplacedError):
        copy(on.copier, existing)
    assert on.body(KEY) == NEWER
