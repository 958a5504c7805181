"""Where the broker is, how its certificate is verified, and which keys in it are ours.

It loads no Celery: a health check reads its settings every few seconds.
"""

import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

URL_VARIABLE = "ARTIFACTS_BROKER_URL"
PREFIX_VARIABLE = "ARTIFACTS_BROKER_PREFIX"
CA_VARIABLE = "ARTIFACTS_BROKER_CA_FILE"
MASTER_VARIABLE = "ARTIFACTS_BROKER_MASTER_NAME"
SENTINEL_PASSWORD_VARIABLE = "ARTIFACTS_BROKER_SENTINEL_PASSWORD"  # noqa: S105 - its name

_SENTINELS = "sentinels://"
"""For kombu, TLS to sentinels and their servers is an option, and no scheme."""
_TLS = ("rediss://", _SENTINELS, "amqps://")
UNVERIFIED = frozenset({"none", "CERT_NONE"})
"""Values of ssl_cert_reqs with which any certificate is accepted."""
ANY_CERTIFICATE = "ssl_cert_reqs=none"


@dataclass(frozen=True, kw_only=True)
class Broker:
    """The broker of one deployment.

    Attributes:
        url: or several, separated by semicolons, for failover.
        prefix: of every key and channel, so that several deployments can share one database.
        ca_file: certificates of the authorities that sign the broker's; by default the system's.
        master_name: by which sentinels know the master.
        sentinel_password: of the sentinels; the master's is in the URL.
    """

    url: str
    prefix: str = ""
    ca_file: str | None = None
    master_name: str = ""
    sentinel_password: str = field(default="", repr=False)

    @classmethod
    def of_environment(cls, url: str | None = None) -> Self:
        """Return what the environment names.

        Args:
            url: in place of the environment's; empty if neither names one.
        """
        return cls(
            url=url or os.environ.get(URL_VARIABLE, ""),
            prefix=os.environ.get(PREFIX_VARIABLE, ""),
            ca_file=os.environ.get(CA_VARIABLE) or None,
            master_name=os.environ.get(MASTER_VARIABLE, ""),
            sentinel_password=os.environ.get(SENTINEL_PASSWORD_VARIABLE, ""),
        )

    @property
    def has_tls(self) -> bool:
        """Whether a connection is made by TLS."""
        return bool(self._tls_urls)

    @property
    def unverified_options(self) -> list[str]:
        """The options with which a connection by TLS accepts the certificate of any host."""
        each = [self._options(url) for url in self._tls_urls]
        found = {
            ANY_CERTIFICATE: any(of_url["ssl_cert_reqs"] in UNVERIFIED for of_url in each),
            # Parse it as kombu does.
            "ssl_check_hostname=false": any(
                of_url.get("ssl_check_hostname", "").lower() == "false" for of_url in each
            ),
        }
        return [option for option, is_set in found.items() if is_set]

    @cached_property
    def celery_url(self) -> str:
        """The URL with its TLS options in full.

        Without them kombu accepts any certificate. They are in the URL, because one of Celery's
        settings would hold for all URLs alike, also for those without TLS.
        """
        return ";".join(self._completed(url) for url in self.url.split(";"))

    @cached_property
    def tls_options(self) -> dict[str, Any] | None:
        """The TLS options as Celery's `broker_use_ssl`, from which alone Flower knows them.

        None if not every URL has TLS.
        """
        urls = self.celery_url.split(";")
        if len(self._tls_urls) < len(urls):
            return None
        from kombu.utils.url import parse_url  # noqa: PLC0415 - see above

        options: dict[str, Any] = parse_url(urls[0])["ssl"]
        return options

    @property
    def _tls_urls(self) -> list[str]:
        return [url for url in self.url.split(";") if url.startswith(_TLS)]

    def _completed(self, url: str) -> str:
        if not url.startswith(_TLS):
            # The URL of the database, as SQLAlchemy has it, names the broker too.
            return url.replace("postgresql+psycopg://", "postgresql://", 1)
        address = url.partition("?")[0].replace(_SENTINELS, "sentinel://", 1)
        return f"{address}?{urlencode(self._options(url))}"

    def _options(self, url: str) -> dict[str, str]:
        given = dict(parse_qsl(url.partition("?")[2]))
        options = {"ssl_cert_reqs": "required", **given}
        is_needed = options["ssl_cert_reqs"] not in UNVERIFIED
        if self.ca_file and is_needed and not {"ssl_ca_certs", "ssl_ca_path"} & given.keys():
            options["ssl_ca_certs"] = self.ca_file
        return options
