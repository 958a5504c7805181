"""What the probe advises where a store lacks something, by the settings that it runs with."""

import pytest

from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.s3.abilities import Checksum, StoreAbilities
from artifact_pipeline.worker.s3.encryption import Encryption
from tests.stores.lying import Lie, OtherETags, on, refusing
from tests.stores.probing import Lying, ask_only
from tests.stores.s3_requests import Answer

pytestmark = pytest.mark.usefixtures("no_backoff")


class TestETags:
    def test_that_are_no_md5_need_reading_back(
        self, lying: Lying, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        ask_only(monkeypatch, "probe ETags")
        lie = OtherETags(r"(?<=\")[0-9a-f]{32}(?=\")", lambda etag: etag[::-1])
        # When
        without = lying(lie)[0]
        by_md5 = lying(lie, abilities=StoreAbilities(checksum=Checksum.MD5))[0]
        by_reading = lying(lie, abilities=StoreAbilities(checksum=Checksum.READ_BACK))[0]
        # Then
        assert {without.severity, by_md5.severity} == {Severity.ERROR}
        assert without.fix == by_md5.fix == "set ARTIFACTS_S3_CHECKSUM=read-back"
        assert by_reading.severity is Severity.OK
        assert by_reading.what.endswith("ARTIFACTS_S3_CHECKSUM=read-back does without it")


class TestTags:
    def test_that_parts_ignore_are_put_afterwards(
        self, lying: Lying, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given ministack, which ignores them
        ask_only(monkeypatch, "probe tags")
        # When
        finding = lying(has_tags=True)[0]
        # Then
        assert finding.severity is Severity.OK
        assert finding.what.endswith("uploads in parts are tagged after their completion")

    @pytest.mark.parametrize(
        ("lie", "said"),
        [
            (
                refusing("PutObjectTagging", 501, "NotImplemented"),
                "then PutObjectTagging answers 501 NotImplemented",
            ),
            (on("PutObjectTagging", lambda _: Answer(200)), "then an object has the tags []"),
            (
                refusing("CreateMultipartUpload", 400, "InvalidArgument", "x-amz-tagging"),
                "CreateMultipartUpload with tags answers 400 InvalidArgument",
            ),
        ],
    )
    def test_that_an_object_in_parts_cannot_have_are_an_error_if_there_are_some(
        self, lying: Lying, monkeypatch: pytest.MonkeyPatch, lie: Lie, said: str
    ) -> None:
        # Given
        ask_only(monkeypatch, "probe tags")
        # When
        needed, needless = lying(lie, has_tags=True)[0], lying(lie)[0]
        # Then
        assert (needed.severity, needless.severity) == (Severity.ERROR, Severity.OK)
        assert needed.what.endswith(said)
        assert needed.fix == "unset ARTIFACTS_S3_TAGS"


class TestEncryption:
    @pytest.mark.parametrize(
        ("encryption", "fix"),
        [
            (Encryption("AES256"), "set ARTIFACTS_SSE to what the store has, or unset it"),
            (
                Encryption().with_signing(is_signed=True),
                "unset ARTIFACTS_URL_SIGNS_ENCRYPTION, or set ARTIFACTS_SSE to what the store has",
            ),
        ],
    )
    def test_that_the_store_lacks_names_the_setting_that_asks_for_it(
        self, lying: Lying, monkeypatch: pytest.MonkeyPatch, encryption: Encryption, fix: str
    ) -> None:
        # Given
        ask_only(monkeypatch, "probe encryption")
        lie = refusing("PutObject", 501, "NotImplemented", "x-amz-server-side-encryption")
        # When
        finding = lying(lie, encryption=encryption)[0]
        # Then
        assert (finding.severity, finding.fix) == (Severity.ERROR, fix)
