"""What botocore leaves out of an error: the features of the request, and why a HEAD was refused."""

import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_FEATURES = {
    "x-amz-server-side-encryption": "encryption",
    "x-amz-tagging": "tags",
    "x-amz-storage-class": "a storage class",
    "if-none-match": "a condition",
    "if-match": "a condition",
    "x-amz-checksum-sha256": "a checksum",
    "x-amz-checksum-algorithm": "a checksum",
}
"""By header; a store may lack each of them."""
_NOTED = "artifacts_features"
_SETTING = "artifacts_encryption_setting"
_SSE = "ARTIFACTS_SSE"
_HEAD = "artifacts_head"
_BAD_REQUEST = "400"


def describe_refusals(client: "S3Client") -> None:
    """Have the client's errors tell the features of their request, and the code of a 400 HEAD."""
    events: Any = client.meta.events  # whose stubs know no contexts
    events.register("before-call.s3", _note_features)
    events.register("after-call.s3", _record_features)
    events.register("before-parameter-build.s3.HeadObject", _note_head)
    events.register("after-call.s3.HeadObject", _Heads(client))


def name_encryption_setting(client: "S3Client", setting: str) -> None:
    """Have the client's errors tell which setting asks for encryption, if it is another one."""
    if setting == _SSE:
        return

    def tell(parsed: dict[str, Any], **_event: object) -> None:
        if "Error" in parsed:
            parsed["Error"][_SETTING] = setting

    events: Any = client.meta.events
    events.register("after-call.s3", tell)


def encryption_setting_of(error: ClientError) -> str:
    """Return the name of the setting that asked for the encryption of the refused request."""
    said: Any = error.response.get("Error", {})
    return str(said.get(_SETTING, _SSE))


def features_of(error: ClientError) -> Mapping[str, str] | None:
    """Return the features that the refused request used, with the values of their headers.

    None if its client does not tell.
    """
    said: Any = error.response.get("Error", {})
    noted: Mapping[str, str] | None = said.get(_NOTED)
    return noted


def _note_features(params: dict[str, Any], context: dict[str, Any], **_event: object) -> None:
    headers = {name.lower(): str(value) for name, value in params["headers"].items()}
    context[_NOTED] = {
        feature: headers[name] for name, feature in _FEATURES.items() if name in headers
    }


def _record_features(parsed: dict[str, Any], context: dict[str, Any], **_event: object) -> None:
    if "Error" in parsed:
        parsed["Error"][_NOTED] = context.get(_NOTED)


def _note_head(params: dict[str, Any], context: dict[str, Any], **_event: object) -> None:
    context[_HEAD] = {name: params[name] for name in ("Bucket", "Key")}


class _Heads:
    """Asks by GET when a HEAD is answered 400.

    The answer to a HEAD has no body. Without a code, expired credentials look like a request that
    no retry can help.
    """

    def __init__(self, client: "S3Client") -> None:
        # The client holds its handlers; a cycle would keep its connections until a collection.
        self._client: S3Client = weakref.proxy(client)

    def __call__(self, parsed: dict[str, Any], context: dict[str, Any], **_event: object) -> None:
        if parsed.get("Error", {}).get("Code") != _BAD_REQUEST:
            return
        try:
            self._client.get_object(**context[_HEAD])["Body"].close()
        except ClientError as refused:
            parsed["Error"].update(refused.response["Error"])
            parsed["ResponseMetadata"]["HTTPStatusCode"] = refused.response["ResponseMetadata"][
                "HTTPStatusCode"
            ]
