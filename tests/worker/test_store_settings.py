"""The settings of the store."""

from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.s3.encryption import Encryption
from artifact_pipeline.worker.settings import WorkerSettings, load

pytestmark = pytest.mark.usefixtures("good")


@pytest.mark.parametrize(("sse", "key"), [("AES256", "hunter2"), (None, "hunter2")])
def test_a_kms_key_goes_only_with_kms(
    monkeypatch: pytest.MonkeyPatch, sse: str | None, key: str | None
) -> None:
    # Given
    for name, value in {"SSE": sse, "KMS_KEY_ID": key}.items():
        if value:
            monkeypatch.setenv(f"ARTIFACTS_{name}", value)
    # When
    with pytest.raises(ConfigurationError, match="ARTIFACTS_KMS_KEY_ID") as refused:
        load(WorkerSettings)
    # Then
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("sse", ["aws:kms", "aws:kms:dsse"])
@pytest.mark.parametrize("key", ["key-1", None])
def test_kms_is_good_with_its_key_and_without(
    monkeypatch: pytest.MonkeyPatch, sse: str, key: str | None
) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_SSE", sse)
    if key is not None:
        monkeypatch.setenv("ARTIFACTS_KMS_KEY_ID", key)
    # When
    settings = load(WorkerSettings)
    # Then
    assert settings.encryption == Encryption(sse, key)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            *("S3_TAGS", "team=cfd,owner={user}"),
            "tag 'owner': {user} is unknown. Use {job_id}, {run_id}, {kind}",
        ),
        ("BANDWIDTH", "10 megs", "use a number of bytes, such as 10MiB or 10485760"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"ARTIFACTS_{name}", value)
    with pytest.raises(ConfigurationError) as refused:
        load(WorkerSettings)
    assert str(refused.value) == f"ARTIFACTS_{name}: {said}"


def test_clients_send_tags_only_if_their_urls_sign_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTIFACTS_S3_TAGS", "team=cfd")
    assert load(WorkerSettings).signed_tags.names == ()
    monkeypatch.setenv("ARTIFACTS_URL_SIGNS_TAGS", "true")
    assert load(WorkerSettings).signed_tags.names == ("team",)


def test_nothing_is_asked_for_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(WorkerSettings).encryption == Encryption()
    # But by URLs that sign the encryption, which was AES256 before it was a choice
    monkeypatch.setenv("ARTIFACTS_URL_SIGNS_ENCRYPTION", "true")
    assert load(WorkerSettings).encryption == Encryption("AES256")


@pytest.mark.parametrize("name", ["URL_EXPIRES", "DOWNLOAD_URL_EXPIRES"])
def test_each_sort_of_url_has_its_own_expiry(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # Given
    default = load(WorkerSettings).model_dump()
    monkeypatch.setenv(f"ARTIFACTS_{name}", "60")
    # When / Then
    assert load(WorkerSettings).model_dump() == {**default, name.lower(): 60}
    # Given one that S3 does not allow
    monkeypatch.setenv(f"ARTIFACTS_{name}", str(7 * 24 * 3600 + 1))
    # When / Then
    with pytest.raises(ConfigurationError, match=f"^ARTIFACTS_{name}: "):
        load(WorkerSettings)


def test_an_empty_kms_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setenv("ARTIFACTS_SSE", "aws:kms")
    monkeypatch.setenv("ARTIFACTS_KMS_KEY_ID", "")
    # When / Then
    with pytest.raises(ConfigurationError, match="ARTIFACTS_KMS_KEY_ID: "):
        load(WorkerSettings)


def test_aws_itself_needs_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.delenv("ARTIFACTS_S3_ENDPOINT_URL")
    # When / Then
    assert load(WorkerSettings).s3_endpoint_url is None


def test_a_directory_needs_no_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARTIFACTS_BUCKET")
    monkeypatch.setenv("ARTIFACTS_STORE", "file:///srv/artifacts")
    monkeypatch.setenv("ARTIFACTS_OTHER_STORES", "file:///srv/old, file:///srv/older")
    roots = [root.path for root in load(WorkerSettings).stores]
    assert roots == [Path("/srv/artifacts"), Path("/srv/old"), Path("/srv/older")]


def test_without_a_directory_the_bucket_is_the_store() -> None:
    settings = load(WorkerSettings)
    assert (settings.store, settings.bucket) == ("", "artifacts")


@pytest.mark.parametrize("name", ["STORE", "OTHER_STORES"])
@pytest.mark.parametrize("value", ["s3://bucket", "/srv/artifacts", "file://host/srv", "file:///"])
def test_any_other_store_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.delenv("ARTIFACTS_BUCKET")
    monkeypatch.setenv("ARTIFACTS_STORE", "file:///srv/artifacts")
    monkeypatch.setenv(f"ARTIFACTS_{name}", value)
    with pytest.raises(ConfigurationError) as refused:
        load(WorkerSettings)
    assert str(refused.value) == (
        f"ARTIFACTS_{name}: use file:// and the absolute path of a directory."
        " Example: file:///srv/artifacts"
    )


def test_other_stores_need_one_to_write_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTIFACTS_OTHER_STORES", "file:///srv/old")
    with pytest.raises(ConfigurationError) as refused:
        load(WorkerSettings)
    said = "ARTIFACTS_OTHER_STORES needs ARTIFACTS_STORE. Set both, or neither"
    assert str(refused.value) == said


def test_sizes_may_have_a_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    sizes = {"PART_SIZE": "32MiB", "MULTIPART_THRESHOLD": "20971520", "BANDWIDTH": "500kB"}
    for name, value in sizes.items():
        monkeypatch.setenv(f"ARTIFACTS_{name}", value)
    # When
    settings = load(WorkerSettings)
    # Then
    loaded = (settings.part_size, settings.multipart_threshold, settings.bandwidth)
    assert loaded == (32 * 2**20, 20 * 2**20, 500_000)
    assert {type(each) for each in loaded} == {int}
