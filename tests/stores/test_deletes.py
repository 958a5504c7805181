"""Deleting objects on stores that want another DeleteObjects, or have none."""

from collections.abc import Iterator

import pytest

from artifact_pipeline.domain.errors import BucketMissingError, StoreUnavailableError
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.abilities import Deletes, StoreAbilities
from tests.stores.abilities_steps import Lacking, lacking
from tests.stores.lacking import Lack
from tests.stores.s3_requests import Answer

pytestmark = pytest.mark.processes

KEYS = ["a b", "ä+%?&<>", "jobs/12/x"]


@pytest.fixture
def by_md5(ministack: Ministack) -> Iterator[Lacking]:
    with lacking(ministack, Lack.CHECKSUMS, abilities=StoreAbilities(deletes=Deletes.MD5)) as on:
        yield on


@pytest.fixture
def one_by_one(ministack: Ministack) -> Iterator[Lacking]:
    with lacking(
        ministack, Lack.BULK_DELETES, abilities=StoreAbilities(deletes=Deletes.SINGLE)
    ) as on:
        yield on


def stored(on: Lacking) -> list[ObjectAddress]:
    for key in (*KEYS, "kept"):
        on.put(key, b"content")
    return [ObjectAddress(on.bucket, key) for key in KEYS]


def test_by_one_request_with_its_md5(by_md5: Lacking) -> None:
    # When: the server refuses any other checksum, and a wrong one
    for _ in range(2):
        assert by_md5.copier.delete(stored(by_md5)) == {}
    # Then
    assert by_md5.server.requests == ["DeleteObjects"] * 2
    assert [each.address.key for each in by_md5.reader.list("")] == ["kept"]


def test_one_by_one(one_by_one: Lacking) -> None:
    # When
    addresses = [*stored(one_by_one), ObjectAddress(one_by_one.bucket, "never-there")]
    assert one_by_one.copier.delete(addresses) == {}
    # Then
    assert one_by_one.server.requests == ["DeleteObject"] * len(addresses)
    assert [each.address.key for each in one_by_one.reader.list("")] == ["kept"]


@pytest.mark.parametrize(
    ("answer", "refused"), [((403, "AccessDenied"), "AccessDenied"), ((404, "NoSuchKey"), None)]
)
def test_what_is_refused_is_named(
    one_by_one: Lacking, answer: tuple[int, str], refused: str | None
) -> None:
    # Given
    [first, *_] = addresses = stored(one_by_one)
    one_by_one.server.refuses["DeleteObject"] = Answer.refusing(*answer)
    # When / Then
    expected = {} if refused is None else dict.fromkeys(addresses, refused)
    assert one_by_one.copier.delete(addresses) == expected
    assert one_by_one.reader.find(first) is not None


@pytest.mark.parametrize(
    ("answer", "error"),
    [((503, "SlowDown"), StoreUnavailableError), ((404, "NoSuchBucket"), BucketMissingError)],
)
def test_what_concerns_all_is_an_error(
    one_by_one: Lacking, answer: tuple[int, str], error: type[Exception]
) -> None:
    one_by_one.server.refuses["DeleteObject"] = Answer.refusing(*answer)
    with pytest.raises(error):
        one_by_one.copier.delete(stored(one_by_one))
