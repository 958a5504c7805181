"""Checks of the probe: listings, reads, deletions and presigned URLs."""

import os
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.diagnosis.probe.outcomes import Outcome, met, refused, unmet
from artifact_pipeline.worker.diagnosis.probe.store import BODY, LargeObject, Probe
from artifact_pipeline.worker.diagnosis.probe.writes import WRONG_ETAG
from artifact_pipeline.worker.s3.abilities import Deletes
from artifact_pipeline.worker.s3.deletes import delete_together
from artifact_pipeline.worker.s3.presign import Presigner

_NAMES = ("B", "a-b", "a/b", "a0", "b")
"""In the order of their bytes; a tree of directories is walked in another order."""
_URL_SECONDS = 300
_TIMEOUT_SECONDS = 20.0


def listing(probe: Probe) -> Outcome:
    keys = [probe.area.key(f"listed/{name}") for name in _NAMES]
    for key in reversed(keys):
        probe.put(key, b"{}")
    pages = probe.client.get_paginator("list_objects_v2").paginate(
        Bucket=probe.bucket,
        Prefix=f"{probe.area.prefix}listed/",
        PaginationConfig={"PageSize": 2},
    )
    listed = [each["Key"] for page in pages for each in page.get("Contents", [])]
    if sorted(listed) != sorted(keys):
        return unmet(f"{len(keys)} objects were put, and pages of two keys list {len(listed)}")
    if listed != keys:
        return unmet("all keys are listed, but not in their order", severity=Severity.WARNING)
    return met("what was just put is listed, in pages and in order")


def open_uploads(probe: Probe) -> Outcome:
    keys = [probe.area.key(f"uploads/{name}") for name in ("a", "b", "b")]
    started = {(key, probe.area.start(key, **probe.described)) for key in keys}
    whole = _open_uploads(probe, page=1000)
    if not started <= whole:
        return unmet(f"of {len(started)} open uploads {len(whole & started)} are listed")
    if whole != started:
        return unmet("the listing of open uploads ignores the prefix")
    in_pages = len(_open_uploads(probe, page=1))
    if in_pages != len(started):
        observed = f"of {len(started)} open uploads, pages of one list {in_pages}"
        return unmet(observed, severity=Severity.WARNING)
    for key, upload_id in started:
        probe.client.abort_multipart_upload(Bucket=probe.bucket, Key=key, UploadId=upload_id)
    if _open_uploads(probe, page=1000):
        return unmet("an aborted upload is still listed")
    return met("open uploads are listed by prefix, in pages")


def _open_uploads(probe: Probe, page: int) -> set[tuple[str, str]]:
    pages = probe.client.get_paginator("list_multipart_uploads").paginate(
        Bucket=probe.bucket,
        Prefix=f"{probe.area.prefix}uploads/",
        PaginationConfig={"PageSize": page},
    )
    uploads = [each for answer in pages for each in answer.get("Uploads", [])]
    # Reconcile goes by the time at which each began, so an answer without it is a finding.
    return {(each["Key"], each["UploadId"]) for each in uploads if each["Initiated"]}


def ranged_read(probe: Probe) -> Outcome:
    key, body = _readable(probe)
    etag = probe.head(key)["ETag"]
    start, stop = len(body) // 2, len(body) - 1
    answer = probe.client.get_object(
        Bucket=probe.bucket, Key=key, IfMatch=etag, Range=f"bytes={start}-{stop - 1}"
    )
    status, got = answer["ResponseMetadata"]["HTTPStatusCode"], answer["Body"].read()
    if got != body[start:stop] or "ContentRange" not in answer:
        return unmet(f"a GET of a range answers {status} with {len(got)} bytes")
    return _ranged_read_of_another(probe, key, etag)


def _ranged_read_of_another(probe: Probe, key: str, etag: str) -> Outcome:
    answers: list[Any] = []
    wrong = refused(
        lambda: answers.append(
            probe.client.get_object(
                Bucket=probe.bucket, Key=key, IfMatch=WRONG_ETAG, Range="bytes=0-0"
            )
        )
    )
    if wrong is None and answers[0].get("ETag", "").strip('"') == etag.strip('"'):
        # This is enough for a download: it compares the ETag of each answer.
        return met("a GET of a range ignores a wrong If-Match, and answers the object's ETag")
    if wrong is None:
        return unmet("a GET of a range ignores a wrong If-Match, and answers another ETag or none")
    if wrong.status != HTTPStatus.PRECONDITION_FAILED:
        return unmet(f"a GET of a range with a wrong If-Match answers {wrong}, not 412")
    return met("a GET of a range goes by If-Match")


def _readable(probe: Probe) -> tuple[str, bytes]:
    if isinstance(probe.large, LargeObject):
        return probe.large.key, probe.large.body
    key = probe.area.key("read")
    probe.put(key, BODY)
    return key, BODY


def deletion(probe: Probe) -> Outcome:
    checksum = _deletion_by(probe, Deletes.CHECKSUM)
    if checksum is None:
        return met("DeleteObjects deletes several")
    # Only after the SHA-256: from here on the client sends a Content-MD5.
    by_md5 = _deletion_by(probe, Deletes.MD5) is None
    works = (Deletes.MD5, Deletes.SINGLE) if by_md5 else (Deletes.SINGLE,)
    return unmet(
        f"DeleteObjects with a SHA-256 {checksum}" + (", and wants Content-MD5" if by_md5 else ""),
        tuple(f"ARTIFACTS_S3_DELETES={mode}" for mode in works),
    )


def _deletion_by(probe: Probe, mode: Deletes) -> str | None:
    """Return what goes wrong when two objects are deleted together; None if nothing does."""
    keys = [probe.area.key(f"deleted-{mode}/{number}") for number in (1, 2)]
    for key in keys:
        probe.put(key, b"{}")
    refusal = refused(delete_together, probe.client, probe.bucket, keys, mode)
    if refusal is not None:
        return f"answers {refusal}"
    return "leaves an object" if _left(probe, keys) else None


def _left(probe: Probe, keys: list[str]) -> bool:
    gone = {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}
    return any(probe.status_of_head(key) not in gone for key in keys)


def presigned_put(probe: Probe) -> Outcome:
    key = probe.area.key("presigned-put")
    signed = _presigner(probe).put(
        ObjectAddress(probe.bucket, key),
        probe.encryption if probe.url_signs_encryption else None,
    )
    status, _ = _send("PUT", signed.url, BODY, dict(signed.headers))
    if status != HTTPStatus.OK:
        return unmet(f"a plain PUT to a presigned URL answers {status}")
    size = probe.head(key)["ContentLength"]
    if size != len(BODY):
        return unmet(f"a plain PUT of {len(BODY)} bytes makes an object of {size}")
    return met("a plain PUT needs the URL alone")


def presigned_get(probe: Probe) -> Outcome:
    key = probe.area.key("presigned-get")
    probe.put(key, BODY)
    url = _presigner(probe).get(ObjectAddress(probe.bucket, key)).url
    status, body = _send("GET", url)
    if (status, body) != (HTTPStatus.OK, BODY):
        return unmet(f"a plain GET of a presigned URL answers {status}")
    return met("a plain GET needs the URL alone")


def signature(probe: Probe) -> Outcome:
    key = probe.area.key("signed")
    probe.put(key, BODY)
    url = _presigner(probe).get(ObjectAddress(probe.bucket, key)).url
    [signed] = parse_qs(urlsplit(url).query)["X-Amz-Signature"]
    status, _ = _send("GET", url.replace(signed, "0" * len(signed)))
    if status == HTTPStatus.OK:
        return unmet("a presigned URL with a wrong signature is answered")
    return met(f"a presigned URL with a wrong signature answers {status}")


def _presigner(probe: Probe) -> Presigner:
    return Presigner(probe.client, _URL_SECONDS)


def _send(
    method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Send what a client without any library of S3 sends."""
    timeout = urllib3.Timeout(_TIMEOUT_SECONDS)
    options: Any = {"timeout": timeout, "ca_certs": os.environ.get("AWS_CA_BUNDLE")}
    parts = urlsplit(url)
    proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    with (
        urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options) as http
    ):
        answer = http.request(
            method, url, body=body, headers=headers or {}, retries=False, redirect=False
        )
        return answer.status, answer.data
