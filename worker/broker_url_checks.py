"""Checks of the broker's URL, by the kind of broker; none quotes a value.

Where a password has a question mark in it, the rest of it stands where options do.
"""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from urllib.parse import SplitResult, parse_qs

from artifact_pipeline.tasks.broker import MASTER_VARIABLE, PREFIX_VARIABLE
from artifact_pipeline.tasks.broker_kinds import (
    AMQPS_OPTIONS,
    KINDS,
    POSTGRESQL,
    RABBITMQ,
    REDIS,
    SENTINEL,
    SQS,
    BrokerKind,
    all_schemes,
    kind_of_url,
)
from artifact_pipeline.tasks.broker_url import split_connect_timeout
from artifact_pipeline.worker.s3.endpoint_forms import split_url

_SOCKET = "redis+socket://"
_TLS_FILES = {"ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"}
_CERT_REQS = {
    *("required", "optional", "none"),
    *("CERT_REQUIRED", "CERT_OPTIONAL", "CERT_NONE"),
}
# kombu takes them from elsewhere as well, and ends with a traceback.
_NO_OPTIONS = {
    *("alternates", "failover_strategy", "hostname", "kwargs", "password", "port", "ssl"),
    *("transport", "transport_options", "uri_prefix", "userid"),
}


def check_broker_url(value: str) -> str:
    """Return the value. Raises: ValueError: kombu could not connect by it."""
    kind = kind_of_url(value)
    if kind is None:
        raise ValueError(f"unsupported scheme. Use {all_schemes()}")
    for url in value.split(";"):  # for failover, or the members of a group
        if not url.startswith(kind.schemes):
            raise ValueError(f"after the first URL, only {kind.name} can follow: use its schemes")
        _CHECKS[kind.name](url, split_url(url), kind)
    return value


def check_master_name(url: str, name: str) -> None:
    """Check the name of the master. Raises: ValueError: it is needed, or of no use."""
    is_group = kind_of_url(url) is SENTINEL
    if is_group and not name:
        raise ValueError(
            f"{MASTER_VARIABLE}: not set, and sentinels ask for it. Example: mymaster (the name"
            " behind `sentinel monitor` in their configuration)"
        )
    if name and not is_group:
        raise ValueError(f"{MASTER_VARIABLE}: only for sentinel:// URLs. Remove it")


def check_has_prefix(url: str, prefix: str) -> None:
    """Check that the broker knows prefixes, if one is given. Raises: ValueError."""
    kind = kind_of_url(url)
    if prefix and kind is not None and not kind.prefix_option:
        raise ValueError(
            f"{PREFIX_VARIABLE}: {kind.name} has no prefixes. Give each environment a"
            f" {kind.own_place} of its own, at the end of the URL"
        )


def _check_redis(url: str, parts: SplitResult, kind: BrokerKind) -> None:
    path = parts.path.strip("/")
    if url.startswith(_SOCKET):
        if not path:
            raise ValueError("no path of a socket. Example: redis+socket:///run/redis.sock")
    elif path and not path.isdecimal():
        raise ValueError(f"the path is not the number of a database. Example: {kind.example}")
    _check_options(
        url, parts, _redis_options(with_tls=kind is REDIS or url.startswith("sentinels://"))
    )


def _check_amqp(url: str, parts: SplitResult, kind: BrokerKind) -> None:
    if not parts.hostname:
        raise ValueError(f"no host. Example: {kind.example}")
    _ = parts.port  # raises a ValueError that quotes nothing of it
    known = {"connect_timeout", "heartbeat"}
    _check_options(url, parts, {*known, *AMQPS_OPTIONS} if url.startswith("amqps://") else known)


def _check_postgresql(url: str, _parts: SplitResult, kind: BrokerKind) -> None:
    if not (find_spec("psycopg") and find_spec("pgmq")):
        raise ValueError(
            "PostgreSQL as the broker needs more packages. Install them:"
            " pip install 'artifact-pipeline[pgmq]'"
        )
    from psycopg import Error  # noqa: PLC0415 - of its brokers alone
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - the same

    try:
        given = conninfo_to_dict(url.replace("postgresql+psycopg://", "postgresql://", 1))
    except Error:
        raise ValueError(f"libpq cannot read it. Example: {kind.example}") from None
    if not given.get("dbname"):
        raise ValueError(f"no database. Example: {kind.example}")
    if (authority := given.get("sslrootcert")) and not _is_found(str(authority)):
        raise ValueError("sslrootcert: the file does not exist. Correct the path")


def _check_sqs(url: str, _parts: SplitResult, kind: BrokerKind) -> None:
    if not find_spec("pycurl"):
        raise ValueError(
            "Amazon SQS needs one more package. Install it: pip install 'artifact-pipeline[sqs]'"
        )
    if url != kind.example:
        raise ValueError(
            f"the URL of Amazon SQS is {kind.example} alone. Set region, credentials and endpoint"
            " by AWS's own variables: AWS_DEFAULT_REGION, AWS_PROFILE, AWS_ENDPOINT_URL_SQS"
        )


def _is_found(authority: str) -> bool:
    return authority == "system" or Path(authority).exists()


def _check_options(url: str, parts: SplitResult, known: set[str]) -> None:
    # kombu hands them on to the client, which ends with a traceback if it does not know one.
    options = parse_qs(parts.query, keep_blank_values=True)
    if not options.keys() <= known:
        raise ValueError(f"unknown option after the ?. Options: {', '.join(sorted(known))}")
    if not set(options.get("ssl_cert_reqs", [])) <= _CERT_REQS:
        raise ValueError("ssl_cert_reqs: unknown value. Use required, optional or none")
    split_connect_timeout(url)
    for name in options.keys() & _TLS_FILES:
        if not Path(options[name][0]).exists():
            raise ValueError(f"{name}: the file does not exist. Correct the path")


def _redis_options(*, with_tls: bool) -> set[str]:
    """Return the options that kombu takes from a URL: its own, and the TLS client's."""
    from kombu import Connection  # noqa: PLC0415 - `health live` needs neither
    from redis.connection import SSLConnection  # noqa: PLC0415

    tls = {name for name in signature(SSLConnection).parameters if name.startswith("ssl_")}
    return {*(tls if with_tls else ()), *signature(Connection).parameters} - _NO_OPTIONS


_CHECKS: Mapping[str, Callable[[str, SplitResult, BrokerKind], None]] = {
    REDIS.name: _check_redis,
    SENTINEL.name: _check_redis,
    RABBITMQ.name: _check_amqp,
    POSTGRESQL.name: _check_postgresql,
    SQS.name: _check_sqs,
}
if missing := {kind.name for kind in KINDS} - _CHECKS.keys():
    raise AssertionError(f"no check of the URLs of {missing}")
