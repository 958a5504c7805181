"""The access that the settings describe."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.composition.operator import this_user
from artifact_pipeline.worker.settings import WebSettings
from artifact_pipeline.worker.web.access.hosts import ANY_HOST, LOCAL_HOSTS
from artifact_pipeline.worker.web.access.logins import LoginAccess, parse_logins
from artifact_pipeline.worker.web.access.proxy import ProxyAccess, parse_networks
from artifact_pipeline.worker.web.access.users import Access, LocalAccess, is_loopback

T = TypeVar("T")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ROOT_PATH = re.compile(r"(?:/[\w.~-]+)*", re.ASCII)


def access_of(settings: WebSettings) -> Access:
    """Return how users are known.

    Raises:
        ConfigurationError: a setting is wrong, or two of them do not fit.
    """
    if settings.web_logins and settings.web_user_header:
        raise ConfigurationError(
            "ARTIFACTS_WEB_LOGINS and ARTIFACTS_WEB_USER_HEADER: set one of them. A proxy that"
            " logs users in needs no logins here"
        )
    if settings.web_logins:
        return LoginAccess(_parsed("WEB_LOGINS", parse_logins, settings.web_logins))
    if settings.web_user_header:
        if not _HEADER.fullmatch(settings.web_user_header):
            raise ConfigurationError(
                "ARTIFACTS_WEB_USER_HEADER: no name of a header (example: X-Forwarded-User)"
            )
        trusted = _parsed("WEB_TRUSTED_PROXIES", parse_networks, settings.web_trusted_proxies)
        if not trusted:
            raise ConfigurationError(
                "ARTIFACTS_WEB_TRUSTED_PROXIES: not set (example: 10.0.0.7). Only the header of"
                " these addresses counts"
            )
        return ProxyAccess(settings.web_user_header, trusted, listed(settings.web_operators))
    return LocalAccess(this_user())


def check_address(host: str, access: Access) -> None:
    """Refuse to serve other hosts without knowing their users.

    Raises:
        ConfigurationError: no logins and no proxy are configured.
    """
    if isinstance(access, LocalAccess) and not is_loopback(host):
        raise ConfigurationError(
            f"--host {host}: other hosts could reach it without a login. Set ARTIFACTS_WEB_LOGINS"
            " or ARTIFACTS_WEB_USER_HEADER, or leave --host out"
        )


def check_root_path(root_path: str) -> None:
    """Raise ConfigurationError unless it can stand before the paths of all pages."""
    if not _ROOT_PATH.fullmatch(root_path):
        raise ConfigurationError(f"--root-path {root_path}: use a path such as /artifacts")


def hosts_of(settings: WebSettings, host: str) -> Sequence[str]:
    """Return the names that the server is known by.

    Raises:
        ConfigurationError: it serves other hosts, and no name is set.
    """
    named = listed(settings.web_hosts)
    if is_loopback(host):
        return (*LOCAL_HOSTS, *named)
    if not named:
        raise ConfigurationError(
            f"ARTIFACTS_WEB_HOSTS: not set (example: artifacts.example.org). With --host {host},"
            " it must have the names in the server's URLs"
        )
    return named if ANY_HOST in named else (*LOCAL_HOSTS, *named)


def listed(text: str) -> list[str]:
    """Return the parts of a text that commas separate."""
    return [part for part in map(str.strip, text.split(",")) if part]


def _parsed(name: str, parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as wrong:
        raise ConfigurationError(f"ARTIFACTS_{name}: {wrong}") from None
