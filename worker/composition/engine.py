"""The engine that the settings describe."""

from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL, Engine, event

from artifact_pipeline.domain.errors import (
    ConfigurationError,
    PermanentError,
    SqlUnavailableError,
    TransientError,
)
from artifact_pipeline.worker.settings import DatabaseSettings, load
from artifact_pipeline.worker.sql.connections.token_login import check_token_engine, log_in_by_token
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.errors import SqlMisconfiguredError

_PORT = 5432


def database_engine(
    settings: DatabaseSettings | None = None, *, makes_file: bool = False
) -> Engine:
    """Return an engine for the database of the settings; it connects when it is first used.

    Args:
        settings: read from the environment if they are left out.
        makes_file: create a missing SQLite file; by default connecting to one is refused.

    Raises:
        ConfigurationError: a setting is missing or wrong.
    """
    settings = settings or load(DatabaseSettings)
    engine = make_engine(
        settings.database_url, prepare_threshold=settings.database_prepare_threshold
    )
    if engine.dialect.name == "sqlite" and not makes_file:
        event.listen(engine, "do_connect", _require_file)
    if settings.database_iam:
        use_iam_tokens(engine)
    return engine


def use_iam_tokens(engine: Engine) -> None:
    """Have this engine log in to RDS by a fresh IAM token at each new connection.

    A password in its URL is not used. The engine may be your own; of an `AsyncEngine`, pass its
    `sync_engine`.

    Raises:
        ConfigurationError: its URL or `connect_args` do not fit, such as those without TLS.
    """
    try:
        check_token_engine(engine)
    except ValueError as wrong:
        raise ConfigurationError(f"ARTIFACTS_DATABASE_URL: {wrong}") from wrong
    log_in_by_token(engine, RdsTokens(engine.url))


def _require_file(
    _dialect: object, _record: object, arguments: list[str], _options: dict[str, Any]
) -> None:
    """Refuse to connect to a missing file: SQLite would create it, and a typo would go unnoticed.

    Raises:
        SqlMisconfiguredError: the file is missing.
    """
    path = _file_of(*arguments)
    if path is not None and not path.exists():
        raise SqlMisconfiguredError(
            f"ARTIFACTS_DATABASE_URL: {path}: no such file. Correct it, or have"
            " `artifacts db upgrade` make it"
        )


def _file_of(name: str) -> Path | None:
    """Return the file that SQLite opens by this name, or None for a database in memory."""
    if not name.startswith("file:"):
        return None if name == ":memory:" else Path(name)
    # See https://www.sqlite.org/uri.html
    uri = urlsplit(name)
    path = unquote(uri.path)
    return None if path == ":memory:" or "mode=memory" in uri.query.split("&") else Path(path)


class RdsTokens:
    """Tokens for the host, port and user of a URL, by boto3's own chain of credentials.

    RDS accepts each for 15 minutes, and only to log in: a connection outlasts its token.
    """

    def __init__(self, url: URL) -> None:
        self._url = url

    def __call__(self) -> str:
        """Return a fresh token; it is signed here, without a request to RDS.

        Raises:
            SqlMisconfiguredError: region, credentials or another setting of AWS is missing.
            SqlUnavailableError: the credentials cannot be fetched now.
        """
        # Only here: without IAM, commands that need no S3 load no boto3.
        from artifact_pipeline.worker.s3.errors import translated_errors  # noqa: PLC0415

        try:
            with translated_errors():
                return self._sign()
        except (ConfigurationError, PermanentError, OSError, ValueError) as wrong:
            raise SqlMisconfiguredError(f"no token for the database: {wrong}") from wrong
        except TransientError as passing:
            cause = type(passing.__cause__).__name__
            raise SqlUnavailableError(f"no token for the database: {cause}") from passing

    def _sign(self) -> str:
        token = self._client.generate_db_auth_token(
            DBHostname=self._url.host,
            Port=self._url.port or _PORT,
            DBUsername=self._url.username,
        )
        return str(token)

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401 - its types are not among the dependencies
        import boto3  # noqa: PLC0415 - see above

        return boto3.Session().client("rds")
