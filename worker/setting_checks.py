"""Checks of settings: each returns the value, or raises a ValueError that says what to use.

None quotes a value that may hold a password.
"""

import re
from importlib.util import find_spec
from pathlib import Path

from artifact_pipeline.domain.model.artifact_events import (
    MAX_TARGET,
    TASK_TARGET,
    WEBHOOK_TARGET,
)
from artifact_pipeline.domain.model.webhooks import secret_key
from artifact_pipeline.domain.model.workspaces import workspace_name
from artifact_pipeline.tasks.routing import OWN_QUEUES
from artifact_pipeline.worker.s3.abilities import CRC32C_LIBRARY, CRC32C_PACKAGE, Checksum
from artifact_pipeline.worker.s3.endpoint_forms import check_endpoint_form, split_url
from artifact_pipeline.worker.s3.tags import ObjectTags

_TASK = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*", re.ASCII)
_QUEUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TARGET = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{MAX_TARGET - 1}}}")
_PREFIX = re.compile(r"(?:[A-Za-z0-9._-]+:)+")
_DATABASE_EXAMPLE = "Example: postgresql+psycopg://user@host:5432/name"
_DRIVERS = {"sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg"}


def check_database_url(value: str) -> str:
    # Only here: a health check reads its settings every few seconds, and none of a database.
    from sqlalchemy.engine import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        # A ValueError would quote what stands in the port's place: the password, where the host
        # was forgotten.
        raise ValueError(f"not a database URL. {_DATABASE_EXAMPLE}") from None
    if url.drivername not in _DRIVERS:
        raise ValueError("unsupported database or driver. Use sqlite or postgresql+psycopg")
    if "@" in (url.host or ""):
        # The end of the password would count as the host's name, which errors quote.
        raise ValueError("the host contains an @. Write an @ in the password as %40")
    return value


def check_broker_prefix(value: str) -> str:
    # A prefix without an end could begin like a key of another deployment. The other characters
    # have a meaning in the patterns of PSUBSCRIBE, in Lua or in a cluster.
    if value and not _PREFIX.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot be a prefix: use only letters, digits, . _ - and a colon at the"
            " end. Example: staging:"
        )
    return value


def check_workspace_name(value: str | None) -> str | None:
    return workspace_name(value)


def check_file(value: Path) -> Path:
    if not value.is_file():
        raise ValueError("the file does not exist. Correct the path")
    return value


def check_endpoint_url(value: str) -> str:
    if split_url(value).username is not None:
        raise ValueError("remove the user name: credentials come from boto3's own chain")
    return check_endpoint_form(value)


def check_tags(value: str) -> str:
    ObjectTags.parse(value)
    return value


def check_store(value: str) -> str:
    if value:
        from artifact_pipeline.worker.file_store.urls import parse_root  # noqa: PLC0415 - few have one

        parse_root(value)
    return value


def check_stores(value: str) -> str:
    for url in split_stores(value):
        check_store(url)
    return value


def split_stores(value: str) -> list[str]:
    """Return the URLs of directories, which commas separate."""
    return [url for url in map(str.strip, value.split(",")) if url]


def check_directory(value: Path) -> Path:
    try:
        is_directory = value != Path() and value.is_dir()  # an empty value is no choice
    except OSError:
        is_directory = False
    if not is_directory:
        raise ValueError("the directory does not exist. Create or mount it, or correct the path")
    return value


def check_event_task(value: str) -> str:
    if not _TASK.fullmatch(value):
        raise ValueError(f"{value!r} is not the name of a task. Example: platform.on_artifact")
    if value.startswith(("artifacts.", "celery.")):
        raise ValueError(f"{value!r} is not a task of the platform. Example: platform.on_artifact")
    return value


def check_event_queue(value: str) -> str:
    if not _QUEUE.fullmatch(value):
        raise ValueError("use letters, digits, . _ and - in the name of the queue")
    if value in OWN_QUEUES:
        raise ValueError(f"{value} is a queue of the pipeline's workers. Use another one")
    return value


def check_event_url(value: str) -> str:
    # The value is not quoted: the path may be a secret.
    url = split_url(value)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("not a URL of HTTP. Example: https://platform.example.com/events")
    if url.username is not None or url.fragment:
        raise ValueError("remove the user name, the password and what is after a #")
    return value


def check_event_targets(value: str) -> str:
    split_event_targets(value)
    return value


def split_event_targets(value: str) -> dict[str, str]:
    """Return the task or URL of each name of `NAME=TASK_OR_URL,…`. Raises: ValueError."""
    targets: dict[str, str] = {}
    for number, text in enumerate(filter(None, map(str.strip, value.split(","))), start=1):
        name, equals, target = text.partition("=")
        if not equals or not _TARGET.fullmatch(name):
            raise ValueError(
                f"target {number}: use NAME=TASK or NAME=URL; a name has small letters, digits,"
                f" _ and -, and at most {MAX_TARGET} characters"
            )
        if name in targets or name in {TASK_TARGET, WEBHOOK_TARGET}:
            raise ValueError(f"{name}: the name is in use. Give the target another one")
        is_url = "://" in target
        targets[name] = check_event_url(target) if is_url else check_event_task(target)
    return targets


def check_event_secrets(value: str) -> str:
    for secret in split_secrets(value):
        secret_key(secret)
    return value


def split_secrets(value: str) -> list[str]:
    """Return the secrets, which commas separate."""
    return [secret for secret in map(str.strip, value.split(",")) if secret]


def check_checksum(value: Checksum) -> Checksum:
    if value is Checksum.CRC32C and find_spec(CRC32C_LIBRARY) is None:
        raise ValueError(
            f"crc32c needs a package that is not installed. Run `pip install {CRC32C_PACKAGE}`"
        )
    return value
