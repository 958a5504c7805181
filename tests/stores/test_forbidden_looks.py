"""A HEAD that is forbidden: whether the object is missing is what the listing tells."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from artifact_pipeline.domain.errors import AccessDeniedError, StoreUnavailableError
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.embedded.servers import Ministack
from artifact_pipeline.worker.s3.abilities import StoreAbilities
from artifact_pipeline.worker.s3.reading import S3ObjectReader
from artifact_pipeline.worker.s3.store import S3ObjectStore
from tests.s3.steps import KEY, PART, Progress, client_at, put, random_bytes, store_of
from tests.stores.lying import Lie, answering, lying_s3, on, refusing
from tests.stores.probing import Lying, ask_only
from tests.stores.s3_requests import Answer

pytestmark = pytest.mark.usefixtures("no_backoff")

CONTENT, LARGE = b"results", random_bytes(PART + 1)
# The answer to a HEAD has no body, and so no code.
NOTHING_READABLE = on("HeadObject", lambda _: Answer(403))
NOT_LISTED = refusing("ListObjectsV2", 403, "AccessDenied")


def _forbidden_if_missing(answer: Answer) -> Answer:
    return Answer(403) if answer.status == 404 else answer


MISSING_IS_FORBIDDEN = answering("HeadObject", _forbidden_if_missing)
Look = Callable[[S3ObjectStore], Any]


def find(store: S3ObjectStore) -> object:
    reader = S3ObjectReader(client=store.client, bucket=store.bucket)
    return reader.find(ObjectAddress(store.bucket, KEY))


def etag(store: S3ObjectStore) -> object:
    return store.version(KEY)


def write_unconditionally(store: S3ObjectStore) -> object:
    return put(store, CONTENT)


LOOKS = pytest.mark.parametrize("look", [find, etag, write_unconditionally])


@contextmanager
def by_policy(
    ministack: Ministack, bucket: str, *lies: Lie, is_conditional: bool = False
) -> Iterator[S3ObjectStore]:
    """A store without conditional writes, whose policies answer so."""
    with lying_s3(ministack.url, *lies) as url:
        abilities = StoreAbilities(conditional_writes=is_conditional)
        yield store_of(client_at(url), bucket, abilities=abilities)


@pytest.fixture
def existing(s3_client: Any, bucket: str) -> None:
    s3_client.put_object(Bucket=bucket, Key=KEY, Body=CONTENT)


@LOOKS
@pytest.mark.usefixtures("existing")
def test_an_object_that_is_listed_and_may_not_be_read_is_denied(
    ministack: Ministack, bucket: str, look: Look
) -> None:
    with (
        by_policy(ministack, bucket, NOTHING_READABLE) as store,
        pytest.raises(AccessDeniedError, match=r"HeadObject: 403\..*allow s3:GetObject"),
    ):
        look(store)


@pytest.mark.usefixtures("existing")
def test_the_refusal_names_the_object(ministack: Ministack, bucket: str) -> None:
    with (
        by_policy(ministack, bucket, NOTHING_READABLE) as store,
        pytest.raises(AccessDeniedError) as raised,
    ):
        find(store)
    assert raised.value.place == f"s3://{bucket}/{KEY}"


@pytest.mark.parametrize("look", [find, etag])
@pytest.mark.parametrize("lies", [[], [NOT_LISTED]], ids=["listable", "not listable"])
def test_a_missing_object_is_missing(
    ministack: Ministack, bucket: str, look: Look, lies: list[Lie]
) -> None:
    with by_policy(ministack, bucket, MISSING_IS_FORBIDDEN, *lies) as store:
        assert look(store) is None


@pytest.mark.parametrize("lies", [[], [NOT_LISTED]], ids=["listable", "not listable"])
@pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["small", "large"])
def test_what_is_missing_can_be_written(
    ministack: Ministack, bucket: str, lies: list[Lie], content: bytes
) -> None:
    with by_policy(ministack, bucket, MISSING_IS_FORBIDDEN, *lies) as store:
        assert put(store, content).size == len(content)


@pytest.mark.usefixtures("existing")
def test_an_object_with_a_longer_key_is_another(
    ministack: Ministack, s3_client: Any, bucket: str
) -> None:
    s3_client.delete_object(Bucket=bucket, Key=KEY)
    s3_client.put_object(Bucket=bucket, Key=f"{KEY}.old", Body=CONTENT)
    with by_policy(ministack, bucket, NOTHING_READABLE) as store:
        assert find(store) is None


@LOOKS
@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        ((403, "InvalidAccessKeyId"), AccessDeniedError),
        ((403, "SignatureDoesNotMatch"), AccessDeniedError),
        ((503, "SlowDown"), StoreUnavailableError),
    ],
)
def test_wrong_credentials_and_an_outage_are_no_missing_object(
    ministack: Ministack,
    bucket: str,
    look: Look,
    refusal: tuple[int, str],
    error: type[Exception],
) -> None:
    refused = refusing("ListObjectsV2", *refusal)
    with (
        by_policy(ministack, bucket, NOTHING_READABLE, refused) as store,
        pytest.raises(error, match=re.escape(f"ListObjectsV2: {refusal[1]}")),
    ):
        look(store)


@pytest.mark.usefixtures("existing")
def test_an_upload_that_finds_an_object_it_may_not_read_says_so(
    ministack: Ministack, bucket: str
) -> None:
    """It was taken for a late write of another worker, and tried again."""
    with (
        by_policy(ministack, bucket, NOTHING_READABLE, is_conditional=True) as store,
        pytest.raises(AccessDeniedError, match=r"^HeadObject: 403"),
    ):
        put(store, CONTENT)


def test_a_completed_upload_that_may_not_be_looked_at_is_not_sent_again(
    ministack: Ministack, bucket: str
) -> None:
    # Given
    progress = Progress()
    with by_policy(ministack, bucket, is_conditional=True) as store:
        put(store, LARGE, progress)
    # When / Then
    with (
        by_policy(ministack, bucket, NOTHING_READABLE, is_conditional=True) as store,
        pytest.raises(AccessDeniedError, match=r"^HeadObject: 403"),
    ):
        put(store, LARGE, Progress(progress.upload_id))


@pytest.mark.parametrize(
    ("lies", "said"),
    [
        ([], "the listing tells that it is missing"),
        ([NOT_LISTED], "as S3 does without s3:ListBucket"),
    ],
    ids=["listable", "not listable"],
)
def test_the_probe_says_how_a_missing_key_is_known(
    lying: Lying, monkeypatch: pytest.MonkeyPatch, lies: list[Lie], said: str
) -> None:
    # Given: what a probe removes, it lists
    ask_only(monkeypatch, "probe missing key")
    path = "artifact_pipeline.worker.diagnosis.probe.area.ProbeArea.remove_interrupted"
    monkeypatch.setattr(path, lambda _: 0)
    # When
    finding = lying(MISSING_IS_FORBIDDEN, *lies)[0]
    # Then
    assert (finding.severity, finding.what.endswith(said)) == (Severity.OK, True)
