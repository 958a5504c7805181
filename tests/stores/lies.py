"""The lies of stores, each with the finding that names it."""

import hashlib
from uuid import NAMESPACE_URL, uuid5

from tests.stores.lying import (
    Lie,
    OtherETags,
    answering,
    ignoring,
    ignoring_sha256,
    on,
    refusing,
)
from tests.stores.s3_requests import Answer, Request

_SHA256 = "x-amz-checksum-sha256"
_NO_CHECKSUMS = "<ChecksumSHA256>[^<]*</ChecksumSHA256>"
_ENCRYPTION = "x-amz-server-side-encryption"
_COPY_ETAG = "x-amz-copy-source-if-match"
_OF_PARTS = r"[0-9a-f]{32}-\d+"


def _head_without_sha256(answer: Answer) -> Answer:
    is_of_parts = "-" in answer.headers.get(_SHA256, "")
    return answer if is_of_parts else answer.without(_SHA256)


def _head_with_a_wrong_composite(answer: Answer) -> Answer:
    if "-" not in answer.headers.get(_SHA256, ""):
        return answer
    return Answer(answer.status, {**answer.headers, _SHA256: f"{'A' * 43}=-2"})


def _md5_like(etag: str) -> str:
    return hashlib.md5(etag.encode(), usedforsecurity=False).hexdigest() + "-2"


def _opaque(etag: str) -> str:
    return str(uuid5(NAMESPACE_URL, etag))


def _without_range(request: Request) -> Request:
    return request.without("range")


def _of_nothing(_request: Request) -> Answer:
    return Answer(200, body=b"<CopyObjectResult></CopyObjectResult>")


def _put_by_url_is_refused(request: Request) -> Request | Answer:
    return Answer.refusing(403, "SignatureDoesNotMatch") if request.is_presigned else request


def _missing_is(status: int, code: str) -> Lie:
    return on(
        "HeadObject",
        lambda request: (
            Answer.refusing(status, code) if request.path.endswith("/missing") else request
        ),
    )


def _unsigned(request: Request) -> Request:
    # The server behind takes requests that nobody has signed.
    return Request(request.method, request.path, request.headers, request.body)


def _keeps_objects(_request: Request) -> Answer:
    return Answer(204)


def _wants_md5(request: Request) -> Request | Answer:
    return (
        request if "content-md5" in request.headers else Answer.refusing(400, "MissingContentMD5")
    )


TOGETHER: list[list[tuple[str, str, Lie]]] = [
    [
        ("error", "If-None-Match", ignoring("PutObject", "if-none-match")),
        ("error", "parts with If-Match", ignoring("CompleteMultipartUpload", "if-match")),
        ("error", "SHA-256 of a PUT", ignoring_sha256("PutObject")),
        (
            "warning",
            "listed parts",
            answering("ListParts", lambda answer: answer.substituting(_NO_CHECKSUMS, "")),
        ),
        ("warning", "HEAD's checksum", answering("HeadObject", _head_without_sha256)),
        ("warning", "ETags", OtherETags(_OF_PARTS, _md5_like)),
        (
            "error",
            "metadata",
            ignoring("PutObject", "x-amz-meta-job", "x-amz-meta-kind"),
        ),
        ("error", "UploadPartCopy", refusing("UploadPartCopy", 501, "NotImplemented")),
        ("error", "DeleteObjects", on("DeleteObjects", _wants_md5)),
        (
            "warning",
            "open uploads",
            answering(
                "ListMultipartUploads",
                lambda answer: answer.substituting("<IsTruncated>true", "<IsTruncated>false"),
            ),
        ),
        ("error", "ranged GET", on("GetObject", _without_range)),
        ("error", "signature", on("GetObject", _unsigned)),
    ],
    [
        ("error", "If-Match", refusing("PutObject", 501, "NotImplemented", "if-match")),
        (
            "error",
            "parts with If-None-Match",
            ignoring("CompleteMultipartUpload", "if-none-match"),
        ),
        ("error", "SHA-256 of a part", ignoring_sha256("UploadPart")),
        ("error", "composite checksum", answering("HeadObject", _head_with_a_wrong_composite)),
        (
            "error",
            "encryption",
            answering("HeadObject", lambda answer: answer.without(_ENCRYPTION)),
        ),
        ("error", "CopyObject", on("CopyObject", _of_nothing)),
        (
            "error",
            "DeleteObjects",
            on("DeleteObjects", lambda _: Answer(200, body=b"<DeleteResult></DeleteResult>")),
        ),
        (
            "error",
            "listing",
            answering(
                "ListObjectsV2",
                lambda answer: answer.substituting(
                    "<Contents><Key>[^<]*/listed/a0</Key>.*?</Contents>", ""
                ),
            ),
        ),
        ("error", "missing key", _missing_is(405, "MethodNotAllowed")),
        ("error", "presigned PUT", on("PutObject", _put_by_url_is_refused)),
        ("error", "presigned GET", on("GetObject", _put_by_url_is_refused)),
        ("error", "tags", ignoring("PutObject", "x-amz-tagging")),
    ],
    [
        ("error", "If-Match", ignoring("PutObject", "if-match")),
        ("error", "encryption", refusing("PutObject", 501, "NotImplemented", _ENCRYPTION)),
        ("error", "UploadPartCopy", ignoring("UploadPartCopy", _COPY_ETAG)),
        (
            "error",
            "open uploads",
            answering(
                "ListMultipartUploads",
                lambda answer: answer.substituting("(?s)<Upload>.*</Upload>", ""),
            ),
        ),
        ("warning", "removal", on("DeleteObject", _keeps_objects)),
    ],
]
"""Lies that do not disturb each other, so that one probe meets several: it takes half a second."""

HARMLESS: list[Lie] = [
    OtherETags(r"(?<=\")[0-9a-f]{32}(-\d+)?(?=\")", _opaque),
    ignoring("GetObject", "if-match"),
    ignoring("ListMultipartUploads", "max-uploads"),
    answering(
        "HeadObject",
        lambda answer: Answer(
            answer.status, {name.title(): value for name, value in answer.headers.items()}
        ),
    ),
    refusing("CopyObject", 501, "NotImplemented"),
    _missing_is(403, ""),
]
"""The pipeline does as well with these."""

WORKED_AROUND: list[Lie] = [
    ignoring("PutObject", "if-none-match", "if-match"),
    ignoring("CompleteMultipartUpload", "if-none-match", "if-match"),
    ignoring_sha256("PutObject"),
    ignoring_sha256("UploadPart"),
    refusing("UploadPartCopy", 501, "NotImplemented"),
    on("DeleteObjects", _wants_md5),
]
"""For each of these there is a setting."""
