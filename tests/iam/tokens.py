"""Stand-ins for what gives tokens, and for what checks them."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlencode

from tests.faults.postgres import RestartablePostgres

USER = "pipeline"
_DATE = "%Y%m%dT%H%M%SZ"


class ExpiringTokens:
    """Gives tokens of which each is the role's password until the next one is asked for."""

    def __init__(self, postgres: RestartablePostgres) -> None:
        self._postgres = postgres
        self.given: list[str] = []

    def __call__(self) -> str:
        self.given.append(f"token {len(self.given) + 1}")
        set_password(self._postgres, self.given[-1])
        return self.given[-1]


def set_password(postgres: RestartablePostgres, password: str) -> None:
    with postgres.connect() as connection:
        connection.execute(f"ALTER ROLE {USER} PASSWORD '{password}'".encode())


def is_valid(token: str, *, host: str, secret: str, region: str) -> bool:
    """Return whether RDS would accept it: signed for this host and user, and not expired.

    Args:
        token: as the client sends it.
        host: with the port.
        secret: of the AWS key.
        region: of the database.
    """
    where, _, query = token.partition("/?")
    fields = dict(parse_qsl(query))
    signature = fields.pop("X-Amz-Signature", "")
    made = datetime.strptime(fields["X-Amz-Date"], _DATE).replace(tzinfo=UTC)
    is_fresh = datetime.now(UTC) <= made + timedelta(seconds=int(fields["X-Amz-Expires"]))
    asks = {name: fields[name] for name in ("Action", "DBUser")}
    expected = _signature(fields, host, secret, region)
    return (
        is_fresh
        and where == host
        and asks == {"Action": "connect", "DBUser": USER}
        and hmac.compare_digest(signature, expected)
    )


def _signature(fields: dict[str, str], host: str, secret: str, region: str) -> str:
    """Sign as AWS Signature Version 4 does for a presigned URL."""
    query = urlencode(sorted(fields.items()), quote_via=quote, safe="-_.~")
    nothing = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{query}\nhost:{host}\n\nhost\n{nothing}"
    date = fields["X-Amz-Date"]
    scope = f"{date[:8]}/{region}/rds-db/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}"
    return hmac.new(key, text.encode(), "sha256").hexdigest()
