"""What the line of a refused request adds to S3's code: the setting or the command that helps."""

import re
from collections.abc import Iterator, Mapping

from botocore.exceptions import ClientError

from artifact_pipeline.domain.errors import PermanentError, TransferError, UnsupportedByStoreError
from artifact_pipeline.worker.s3.refused_requests import encryption_setting_of, features_of

_ENCRYPTION, _TAGS, _CONDITION = "encryption", "tags", "a condition"
_SET = {
    _CONDITION: "ARTIFACTS_S3_CONDITIONAL_WRITES=false",
    "a checksum": "ARTIFACTS_S3_CHECKSUM=md5",
}
_WORDS = {
    _ENCRYPTION: ("encrypt", "kms"),
    _TAGS: ("tag",),
    "a storage class": ("storageclass", "storage class"),
    _CONDITION: ("if-match", "if-none-match", "conditional"),
    "a checksum": ("checksum",),
}
"""By feature, what a store calls it."""
_SET_FOR = {
    "UploadPartCopy": "ARTIFACTS_S3_COPIES=worker",
    "DeleteObjects": "ARTIFACTS_S3_DELETES=md5 or single",
}
"""By operation, what does without it."""
_CONDITIONAL = {"PutObject", "CompleteMultipartUpload"}
_CREATES = {"PutObject", "CreateMultipartUpload"}
_READS = {"HeadObject", "GetObject"}
_REFUSED_READS = {"400", "InvalidRequest", "InvalidArgument"}
_KEY = ". Check ARTIFACTS_KMS_KEY_ID, or the bucket's default key"
_REGION = ". Check AWS_DEFAULT_REGION and ARTIFACTS_S3_ENDPOINT_URL"
_ADVICE_OF_CODE = {
    "InvalidObjectState": ", for it is in an archive tier: restore it first",
    "InvalidTag": ". Check ARTIFACTS_S3_TAGS",
    "404": ": no S3 answers there. Check ARTIFACTS_S3_ENDPOINT_URL",
    **dict.fromkeys(
        ("AuthorizationHeaderMalformed", "IllegalLocationConstraintException"), _REGION
    ),
    **dict.fromkeys(("PermanentRedirect", "IncorrectEndpoint", "InvalidRegion"), _REGION),
}
_VIRTUAL_ONLY = re.compile(r"SecondLevelDomainForbidden|virtual[- ]host", re.IGNORECASE)
"""In the code or the message of stores that refuse the bucket in the path, such as Alibaba's."""
_OF_KEYS = ("KMS.", "KMSKey", "CloudKms")


def advice(error: ClientError, code: str, kind: type[TransferError]) -> str:
    """Return what helps with the error, to follow S3's code; empty if nothing is known."""
    if kind is UnsupportedByStoreError:
        return _of_unsupported(error)
    if code == "AccessDenied":
        return _of_denied(error)
    if error.operation_name in _READS and code in _REFUSED_READS:
        return ". Is the object encrypted with a client's key (SSE-C)?"
    if not issubclass(kind, PermanentError):
        return ""
    if _VIRTUAL_ONLY.search(f"{code} {_said(error, 'Message')}"):
        return ". Set ARTIFACTS_S3_ADDRESSING=virtual"
    return _KEY if code.startswith(_OF_KEYS) else _ADVICE_OF_CODE.get(code, "")


def _of_unsupported(error: ClientError) -> str:
    features = _meant(error, _optional(error))
    what = f"one of: {', '.join(features)}" if len(features) > 1 else "".join(features)
    unset = {_ENCRYPTION: encryption_setting_of(error), _TAGS: "ARTIFACTS_S3_TAGS"}
    remedies = "".join(
        f" {verb} {' or '.join(settings[each] for each in features if each in settings)}."
        # A weaker promise is advised only where it is known to be what the store asks for.
        for verb, settings in (("Unset", unset), ("Set", _SET if len(features) == 1 else {}))
        if not settings.keys().isdisjoint(features)
    )
    if error.operation_name in _SET_FOR:
        what, remedies = "", f" Set {_SET_FOR[error.operation_name]}."
    return (
        f": the store does not support {what or 'this request'}.{remedies}"
        " `artifacts doctor --probe` shows what it lacks"
    )


def _optional(error: ClientError) -> Mapping[str, str]:
    """Return the features of the request that some setting or choice leaves out."""
    is_conditional = error.operation_name in _CONDITIONAL
    asked = features_of(error) or {}
    return {name: value for name, value in asked.items() if is_conditional or name != _CONDITION}


def _meant(error: ClientError, features: Mapping[str, str]) -> list[str]:
    """Return the features that the answer names; all that were asked for if it names none."""
    said = " ".join(_said(error, name) for name in ("Code", "Message", "Header")).lower()
    named = [each for each in features if any(word in said for word in _WORDS[each])]
    return sorted(named or features)


def _of_denied(error: ClientError) -> str:
    features = features_of(error)
    if features is None or error.operation_name not in _CREATES:
        return ""
    return f". Check the policies (docs/iam){''.join(_needs(features))}"


def _needs(features: Mapping[str, str]) -> Iterator[str]:
    if _ENCRYPTION not in features:
        yield "; one that demands an encryption header needs ARTIFACTS_SSE"
    elif features[_ENCRYPTION].startswith("aws:kms"):
        yield "; the key needs kms:GenerateDataKey and kms:Decrypt"
    if _TAGS in features:
        yield "; tags need s3:PutObjectTagging"


def _said(error: ClientError, name: str) -> str:
    said = error.response.get("Error", {})
    return str(said.get(name) or "")
