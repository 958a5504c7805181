"""What every repository of upload URLs promises: one suite, run over each adapter."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from artifact_pipeline.domain.errors import (
    ArtifactMissingError,
    InvalidRequestError,
    ObjectReplacedError,
)
from artifact_pipeline.domain.model.artifacts import Artifact, Scheme
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact, FoundBy
from artifact_pipeline.domain.model.job_uploads import JobUpload, UploadContext, UploadType
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.ports.object_store import IObjectReader
from artifact_pipeline.domain.ports.platform import IUploadLocationRepository
from tests.domain.platform_classes import PlatformJobUpload, PlatformPrefix
from tests.s3.steps import MIB

NOW = datetime(2025, 11, 23, 12, 0, tzinfo=UTC)
EXPIRES_IN = timedelta(minutes=10)
PREFIX = JobS3Prefix(12, datetime(2025, 10, 23, 21, 15, tzinfo=UTC))
OF_JOB_13 = JobS3Prefix(13, PREFIX.created_at)
CONFIG = JobUpload(UploadContext.JOB, UploadType.CONFIG, 12)
LOGS = JobUpload(UploadContext.RUN, UploadType.LOGS, 12, 4)
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
OLD_KEY = "jobs/12/2025/11/01/093000/job_config.json"
SMALL = 16 * MIB
"""The most bytes of a content that is read at once."""

each_upload = pytest.mark.parametrize(
    ("upload", "key"),
    [
        (CONFIG, PREFIX.job_config_key()),
        (JobUpload(UploadContext.JOB, UploadType.INPUT, 12), PREFIX.job_input_key()),
        (JobUpload(UploadContext.RUN, UploadType.CONFIG, 12, 4), PREFIX.run_config_key(4)),
        (LOGS, PREFIX.run_logs_key(4)),
    ],
    ids=["job config", "job input", "run config", "run logs"],
)


@dataclass(frozen=True)
class Adapter:
    """Upload URLs that expire in EXPIRES_IN, at NOW, and a hand in what is behind them."""

    locations: IUploadLocationRepository
    reader: IObjectReader
    put: Callable[[ObjectAddress, bytes], object]
    delete: Callable[[ObjectAddress], object]
    described: Callable[[str], tuple[str, dict[str, str]]]
    url: Callable[[ObjectAddress], str]
    other_bucket: str

    def address(self, key: str) -> ObjectAddress:
        return ObjectAddress(self.reader.bucket, key)

    def stored(
        self, artifact: Artifact = CONFIG.artifact, address: ObjectAddress | None = None
    ) -> FoundArtifact:
        """The artifact, as it is found once it was put there."""
        address = address or self.address(PREFIX.key(artifact))
        self.put(address, str(artifact).encode())
        return self.found(artifact, address)

    def found(self, artifact: Artifact, address: ObjectAddress) -> FoundArtifact:
        existing = self.reader.find(address)
        assert existing is not None
        return FoundArtifact(
            artifact=artifact, object=existing, found_by=FoundBy.KEY, scheme=Scheme.PREFIX
        )

    def storage_class(self, address: ObjectAddress) -> str:
        return self.found(CONFIG.artifact, address).object.tier_name


class UploadUrlContract:
    @each_upload
    def test_a_url_of_the_key_below_the_prefix(
        self, adapter: Adapter, upload: JobUpload, key: str
    ) -> None:
        location = adapter.locations.get_upload_location(upload, PREFIX)
        assert location.sanitized == adapter.url(adapter.address(key))

    @each_upload
    def test_an_upload_and_a_prefix_of_the_platforms_classes(
        self, adapter: Adapter, upload: JobUpload, key: str
    ) -> None:
        words = (upload.context, upload.upload_type, upload.job_id)
        theirs: Any = PlatformJobUpload(*words, run_id=upload.run_id)
        prefix: Any = PlatformPrefix(PREFIX.job_id, PREFIX.created_at)
        location = adapter.locations.get_upload_location(theirs, s3_prefix=prefix)
        assert location.sanitized == adapter.url(adapter.address(key))

    @each_upload
    def test_it_is_signed_and_a_client_needs_nothing_else(
        self, adapter: Adapter, upload: JobUpload, key: str
    ) -> None:
        location = adapter.locations.get_upload_location(upload, PREFIX)
        query = parse_qs(urlsplit(location.url).query)
        assert urlsplit(location.url).path.endswith(key)
        assert len(query["X-Amz-Signature"][0]) == 64
        assert query["X-Amz-SignedHeaders"] == ["host"]
        assert dict(location.headers) == {}

    @each_upload
    def test_it_may_be_signed_together_with_the_encryption(
        self, signing_adapter: Adapter, upload: JobUpload, key: str
    ) -> None:
        location = signing_adapter.locations.get_upload_location(upload, PREFIX)
        query = parse_qs(urlsplit(location.url).query)
        assert urlsplit(location.url).path.endswith(key)
        assert query["X-Amz-SignedHeaders"] == ["host;x-amz-server-side-encryption"]
        assert dict(location.headers) == {"x-amz-server-side-encryption": "AES256"}

    def test_it_expires(self, adapter: Adapter) -> None:
        location = adapter.locations.get_upload_location(CONFIG, PREFIX)
        assert adapter.locations.expires_in == EXPIRES_IN
        assert parse_qs(urlsplit(location.url).query)["X-Amz-Expires"] == ["600"]

    def test_results_are_refused_and_it_is_said_who_takes_them(self, adapter: Adapter) -> None:
        results = JobUpload(UploadContext.RUN, UploadType.RESULTS, 12, 4)
        with pytest.raises(InvalidRequestError, match="S3ResultsRepository"):
            adapter.locations.get_upload_location(results, PREFIX)

    @each_upload
    def test_the_prefix_of_another_job_is_refused(
        self, adapter: Adapter, upload: JobUpload, key: str
    ) -> None:
        assert key.startswith("jobs/12/")
        with pytest.raises(InvalidRequestError, match="is not of job 13: use the prefix"):
            adapter.locations.get_upload_location(upload, OF_JOB_13)

    def test_without_a_prefix_there_is_none(self, adapter: Adapter) -> None:
        # Nor for mypy, which would call this `ignore` unused.
        with pytest.raises(TypeError, match="s3_prefix"):
            adapter.locations.get_upload_location(CONFIG)  # type: ignore[call-arg]


class ReadContentContract:
    @pytest.mark.parametrize("size", [0, 1, SMALL])
    def test_what_is_small_is_read(self, adapter: Adapter, size: int) -> None:
        address = adapter.address(PREFIX.job_config_key())
        adapter.put(address, bytes(size))
        assert adapter.locations.read_content(UploadLocation(adapter.url(address))) == bytes(size)

    def test_what_is_larger_is_refused(self, adapter: Adapter) -> None:
        address = adapter.address(PREFIX.job_input_key())
        adapter.put(address, bytes(SMALL + 1))
        with pytest.raises(
            InvalidRequestError, match=f"{address.key}: .* at most {SMALL} are read"
        ):
            adapter.locations.read_content(UploadLocation(adapter.url(address)))

    def test_what_is_missing(self, adapter: Adapter) -> None:
        url = adapter.url(adapter.address(OLD_KEY))
        with pytest.raises(ArtifactMissingError, match=f"{OLD_KEY}: not in the store"):
            adapter.locations.read_content(UploadLocation(url))

    @pytest.mark.parametrize(
        "form",
        [
            "s3://{bucket}/{key}",
            "https://{bucket}.s3.eu-west-1.amazonaws.com/{key}",
            "https://s3.amazonaws.com/{bucket}/{key}",
        ],
    )
    def test_whatever_the_form_of_its_url(self, adapter: Adapter, form: str) -> None:
        # Given a key that the platform wrote down before
        address = adapter.address(OLD_KEY)
        adapter.put(address, b"{}")
        # When / Then
        url = form.format(bucket=address.bucket, key=address.key)
        assert adapter.locations.read_content(UploadLocation(url)) == b"{}"

    def test_in_another_bucket(self, adapter: Adapter) -> None:
        address = ObjectAddress(adapter.other_bucket, OLD_KEY)
        adapter.put(address, b"{}")
        url = adapter.url(address)
        assert adapter.locations.read_content(UploadLocation(url)) == b"{}"

    def test_by_the_signed_url_that_a_client_got(self, adapter: Adapter) -> None:
        location = adapter.locations.get_upload_location(CONFIG, PREFIX)
        adapter.put(adapter.address(PREFIX.job_config_key()), b"{}")
        assert adapter.locations.read_content(location) == b"{}"

    @pytest.mark.parametrize("url", ["/mnt/share/job_config.json", "https://example.org/b/k"])
    def test_what_names_no_object(self, adapter: Adapter, url: str) -> None:
        with pytest.raises(InvalidRequestError, match="not the URL of an object in S3"):
            adapter.locations.read_content(UploadLocation(url))


class AgeContract:
    @pytest.mark.parametrize(
        ("wanted", "ages"),
        [
            ({}, [0, 35, 36, 37, 72]),
            ({"days_since_create": 0}, [0, 35, 36, 37, 72]),
            ({"hours_since_create": 36}, [36, 37, 72]),
            ({"days_since_create": 1.5}, [36, 37, 72]),
            # Given both, the hours count, as on the platform.
            ({"days_since_create": 3, "hours_since_create": 36}, [36, 37, 72]),
            ({"days_since_create": 1, "hours_since_create": 72}, [72]),
            ({"hours_since_create": 0}, [0, 35, 36, 37, 72]),
            ({"days_since_create": 3}, [72]),
        ],
    )
    def test_those_that_are_so_old(
        self, adapter: Adapter, wanted: dict[str, float], ages: list[int]
    ) -> None:
        hours = {uploaded(timedelta(hours=hours)): hours for hours in (0, 35, 36, 37, 72)}
        old = adapter.locations.filter_by_age(list(hours), **wanted)
        assert [hours[each] for each in old] == ages

    def test_zero_hours_beside_days_are_refused(self, adapter: Adapter) -> None:
        with pytest.raises(InvalidRequestError, match="hours_since_create is 0 and days_since"):
            adapter.locations.filter_by_age([], days_since_create=3, hours_since_create=0)

    def test_a_moment_less_is_not_old_enough(self, adapter: Adapter) -> None:
        almost = uploaded(timedelta(days=1) - timedelta(microseconds=1))
        assert adapter.locations.filter_by_age([almost], days_since_create=1) == []


class ArchiveContract:
    @pytest.mark.parametrize("wanted", ["GLACIER_IR", "GLACIER", "DEEP_ARCHIVE", "STANDARD_IA"])
    def test_it_is_of_the_class_from_then_on(self, adapter: Adapter, wanted: str) -> None:
        upload = adapter.stored()
        summary = adapter.locations.archive_uploads([upload], wanted)
        ((archived, stored),) = summary.archived
        assert adapter.storage_class(upload.object.address) == stored.tier_name == wanted
        assert (archived, stored.size) == (upload, upload.object.size)
        assert (summary.already, summary.failed) == ([], [])

    def test_it_stays_where_it_is(self, adapter: Adapter) -> None:
        # Given one where an old rule put it
        upload = adapter.stored(address=adapter.address(OLD_KEY))
        # When
        summary = adapter.locations.archive_uploads([upload], "GLACIER_IR")
        # Then
        ((_, stored),) = summary.archived
        assert stored.key == OLD_KEY
        assert [each.address.key for each in adapter.reader.list("jobs/12/")] == [OLD_KEY]

    def test_it_says_what_it_is(self, adapter: Adapter) -> None:
        upload = adapter.stored(RESULTS)
        adapter.locations.archive_uploads([upload], "GLACIER_IR")
        content_type, metadata = adapter.described(upload.object.address.key)
        assert content_type == "application/zip"
        assert metadata.items() >= {"job": "12", "run": "4", "kind": "run_results"}.items()

    @pytest.mark.parametrize("wanted", ["GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"])
    def test_one_in_any_archive_is_left_as_it_is(self, adapter: Adapter, wanted: str) -> None:
        # Given one that was archived before, beside one that was not
        before = adapter.stored()
        adapter.locations.archive_uploads([before], "GLACIER")
        before = adapter.found(before.artifact, before.object.address)
        other = adapter.stored(LOGS.artifact)
        # When
        summary = adapter.locations.archive_uploads([before, other], wanted)
        # Then
        assert (summary.already, [each for each, _ in summary.archived]) == ([before], [other])
        assert adapter.found(before.artifact, before.object.address) == before

    def test_one_that_is_of_the_class_already_is_left_as_it_is(self, adapter: Adapter) -> None:
        upload = adapter.stored()
        summary = adapter.locations.archive_uploads([upload], "STANDARD")
        assert (summary.already, summary.archived) == ([upload], [])

    def test_one_failure_does_not_stop_the_others(self, adapter: Adapter) -> None:
        # Given one that is gone before it can be archived, between two others
        first, gone, last = map(adapter.stored, (CONFIG.artifact, LOGS.artifact, RESULTS))
        adapter.delete(gone.object.address)
        # When
        summary = adapter.locations.archive_uploads([first, gone, last], "GLACIER_IR")
        # Then
        assert [each for each, _ in summary.archived] == [first, last]
        ((failed, error),) = summary.failed
        assert (failed, type(error)) == (gone, ObjectReplacedError)

    def test_one_in_another_bucket_is_reported(self, adapter: Adapter) -> None:
        elsewhere = ObjectAddress(adapter.other_bucket, "some/where.json")
        upload, here = adapter.stored(address=elsewhere), adapter.stored(LOGS.artifact)
        summary = adapter.locations.archive_uploads([upload, here], "GLACIER_IR")
        ((failed, error),) = summary.failed
        assert (failed, [each for each, _ in summary.archived]) == (upload, [here])
        assert str(error) == "job_config of job 12: in another bucket, relocate it first"
        assert adapter.storage_class(elsewhere) == "STANDARD"

    def test_nothing_to_archive_is_no_error(self, adapter: Adapter) -> None:
        summary = adapter.locations.archive_uploads([], "GLACIER_IR")
        assert (summary.archived, summary.already, summary.failed) == ([], [], [])


def uploaded(ago: timedelta) -> FoundArtifact:
    """One that was put so long before NOW."""
    address = ObjectAddress("bucket", PREFIX.job_config_key())
    existing = BucketObject(address=address, size=1, version=str(ago), modified_at=NOW - ago)
    return FoundArtifact(
        artifact=CONFIG.artifact, object=existing, found_by=FoundBy.KEY, scheme=Scheme.PREFIX
    )
