"""The objects and uploads that a probe writes below its own prefix, and their removal."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from artifact_pipeline.worker.s3.dates import date_of
from artifact_pipeline.worker.s3.errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROBE_PREFIX = "jobs/.probe/"
"""No job has it: the ids of jobs are numbers."""
_INTERRUPTED_AFTER = timedelta(hours=1)
"""No probe takes so long: what is older was left by one that was killed."""
_REFUSALS = (ClientError, BotoCoreError)


class ProbeArea:
    """The keys and the multipart uploads of one probe."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self.prefix = f"{PROBE_PREFIX}{token_hex(8)}/"
        self._client = client
        self._bucket = bucket
        self._keys: set[str] = set()
        self._uploads: set[tuple[str, str]] = set()
        self._is_versioned = False
        client.meta.events.register("after-call.s3", self._note_version)

    def key(self, name: str) -> str:
        """Return a key below the prefix; what is put there is removed at the end."""
        key = f"{self.prefix}{name}"
        self._keys.add(key)
        return key

    def start(self, key: str, **described: Any) -> str:  # noqa: ANN401 - arguments of boto3
        """Start a multipart upload, which is aborted at the end, and return its id."""
        answer = self._client.create_multipart_upload(Bucket=self._bucket, Key=key, **described)
        self._uploads.add((key, answer["UploadId"]))
        return answer["UploadId"]

    def completed(self, key: str, upload_id: str) -> None:
        """Forget an upload: it is an object now."""
        self._uploads.discard((key, upload_id))

    def remove(self) -> list[str]:
        """Remove everything, and return what is left, each with the reason."""
        listed = {(key, each) for key, each, _ in self._listed_uploads(self.prefix)}
        left = [*self._abort(self._uploads | listed)]
        found = {key for key, _ in self._listed_objects(self.prefix)}
        left += self._delete(self._keys | found)
        if self._is_versioned:
            left += self._delete_versions()
        # A store may answer that it has deleted an object, and keep it.
        kept = {key for key, _ in self._listed_objects(self.prefix)}
        return left or [f"{key}: still listed" for key in sorted(kept)]

    def remove_interrupted(self) -> int:
        """Remove what a killed probe left, and return how much that was."""
        before = _store_time(self._client, self._bucket) - _INTERRUPTED_AFTER
        uploads = {
            (key, each)
            for key, each, started in self._listed_uploads(PROBE_PREFIX)
            if started and started < before
        }
        keys = {key for key, put in self._listed_objects(PROBE_PREFIX) if put < before}
        left = [*self._abort(uploads), *self._delete(keys)]
        return len(uploads) + len(keys) - len(left)

    def _note_version(self, parsed: dict[str, Any], **_event: object) -> None:
        self._is_versioned |= parsed.get("VersionId", "null") != "null"

    def _listed_objects(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        for page in _pages(pages):
            for each in page.get("Contents", []):
                yield each["Key"], each["LastModified"]

    def _listed_uploads(self, prefix: str) -> Iterator[tuple[str, str, datetime | None]]:
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        for page in _pages(pages):
            for each in page.get("Uploads", []):
                # Some stores ignore the prefix.
                if each["Key"].startswith(prefix):
                    yield each["Key"], each["UploadId"], each.get("Initiated")

    def _abort(self, uploads: set[tuple[str, str]]) -> Iterator[str]:
        for key, upload_id in sorted(uploads):
            yield from _failure(
                f"an upload to {key}",
                self._client.abort_multipart_upload,
                Bucket=self._bucket,
                Key=key,
                UploadId=upload_id,
            )

    def _delete(self, keys: set[str]) -> Iterator[str]:
        # Delete one by one: whether the store can delete several at once is one of the questions.
        for key in sorted(keys):
            yield from _failure(key, self._client.delete_object, Bucket=self._bucket, Key=key)

    def _delete_versions(self) -> Iterator[str]:
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=self._bucket, Prefix=self.prefix
        )
        try:
            versions = [
                (each["Key"], each["VersionId"])
                for page in pages
                for each in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
            ]
        except _REFUSALS as refused:
            yield f"old versions below {self.prefix}: {_named(refused)}"
            return
        for key, version in versions:
            yield from _failure(
                f"version {version} of {key}",
                self._client.delete_object,
                Bucket=self._bucket,
                Key=key,
                VersionId=version,
            )


def _store_time(client: "S3Client", bucket: str) -> datetime:
    return date_of(client.list_objects_v2(Bucket=bucket, Prefix=PROBE_PREFIX, MaxKeys=1))


def _pages(pages: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - of any paginator
    try:
        yield from pages
    except _REFUSALS:
        return  # the keys and uploads that are known are removed all the same


def _failure(
    what: str,
    remove: Callable[..., Any],
    **arguments: str,
) -> Iterator[str]:
    try:
        remove(**arguments)
    except _REFUSALS as refused:
        # The upload no longer exists: it was completed, or removed by an earlier request.
        if _named(refused) not in {"NoSuchUpload", "NoSuchKey", "404"}:
            yield f"{what}: {_named(refused)}"


def _named(refused: Exception) -> str:
    return (isinstance(refused, ClientError) and code_of(refused)) or type(refused).__name__
