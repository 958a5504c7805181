"""The settings of this process, without what may be secret."""

from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from pydantic_settings import BaseSettings

from artifact_pipeline.worker.web.api.models.system import Setting

_SET = "(set)"
_URLS = frozenset({"database_url", "broker_url", "s3_endpoint_url", "s3_public_endpoint_url"})
_PLAIN = frozenset(
    {
        *("bucket", "store", "other_stores", "broker_prefix", "s3_tags", "kms_key_id"),
        *("web_user_header", "web_trusted_proxies", "web_operators", "web_hosts"),
    }
)
"""Texts that are no secrets. Any other text is shown as set or not."""


def shown_settings(settings: BaseSettings) -> list[Setting]:
    """Return the settings as they may be shown."""
    return [
        Setting(
            variable=f"ARTIFACTS_{name.upper()}",
            value=_shown(name, getattr(settings, name)),
            is_default=name not in settings.model_fields_set,
        )
        for name in type(settings).model_fields
    ]


def _shown(name: str, value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int | Path | Enum):
        return str(value.value if isinstance(value, Enum) else value)
    if name in _URLS:
        return ", ".join(_without_secrets(each) for each in str(value).split(";"))
    return str(value) if name in _PLAIN or not isinstance(value, str) else _literal(name, value)


def _literal(name: str, value: str) -> str:
    """Return the value of a setting that is one of a few words, else that it is set."""
    return value if name in {"s3_addressing", "sse", "zip_times"} else _SET


def _without_secrets(url: str) -> str:
    """Return scheme, host and path of a URL: a user, a password or an option may be secret."""
    try:
        parts = urlsplit(url.strip())
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return _SET
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
