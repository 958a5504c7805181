"""The settings, read from the environment and checked when they are read."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.worker.broker_url_checks import (
    check_broker_url,
    check_has_prefix,
    check_master_name,
)
from artifact_pipeline.worker.event_settings import (
    EventDeliverySettings,
    EventSwitch,
    EventTargetSettings,
)
from artifact_pipeline.worker.logs.forms import LogFormat
from artifact_pipeline.worker.setting_checks import (
    check_broker_prefix,
    check_database_url,
    check_directory,
    check_file,
    check_workspace_name,
)
from artifact_pipeline.worker.store_settings import BucketSettings as BucketSettings  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.store_settings import EnvironmentSettings
from artifact_pipeline.worker.store_settings import PartSettings as PartSettings  # noqa: PLC0414 - re-exported

_WEEK = 7 * 24 * 3600

# Past a week, a wait is a mistake; and far past it, no timedelta holds it.
_Seconds = Annotated[float, Field(gt=0, le=_WEEK)]


class DatabaseSettings(EventTargetSettings):
    database_url: Annotated[
        str,
        AfterValidator(check_database_url),
        Field(examples=["postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"]),
    ]
    # Log in to RDS by a fresh IAM token at each new connection, instead of a password.
    database_iam: bool = False
    # How often a statement is run before PostgreSQL prepares it; 0 is never. By default as psycopg
    # has it, and never behind a pooler, whose next transaction may meet another connection.
    database_prepare_threshold: Annotated[int, Field(ge=0, le=1_000_000)] | None = None

    @model_validator(mode="after")
    def _a_token_needs_tls(self) -> Self:
        if self.database_iam:
            from sqlalchemy.engine import make_url  # noqa: PLC0415 - as in check_database_url

            from artifact_pipeline.worker.sql.connections.token_login import check_token_url  # noqa: PLC0415 - the same

            try:
                check_token_url(make_url(self.database_url))
            except ValueError as wrong:
                raise ValueError(f"ARTIFACTS_DATABASE_URL: {wrong}") from None
        return self


class BrokerSettings(EnvironmentSettings):
    broker_url: Annotated[
        str, AfterValidator(check_broker_url), Field(examples=["redis://:PASSWORD@HOST:6379/0"])
    ]
    # Of every key and channel, where several deployments share one database of the broker.
    broker_prefix: Annotated[str, AfterValidator(check_broker_prefix)] = ""
    # Authorities that sign the broker's certificate, where they are not the system's.
    broker_ca_file: Annotated[Path, AfterValidator(check_file)] | None = None
    # By which sentinels know the master, and their own password; the master's is in the URL.
    broker_master_name: str = ""
    broker_sentinel_password: Annotated[str, Field(repr=False)] = ""

    @model_validator(mode="after")
    def _a_group_has_a_master(self) -> Self:
        check_master_name(self.broker_url, self.broker_master_name)
        check_has_prefix(self.broker_url, self.broker_prefix)
        return self

    @property
    def broker(self) -> Broker:
        """The broker of these settings."""
        ca_file = str(self.broker_ca_file) if self.broker_ca_file else None
        return Broker(
            url=self.broker_url,
            prefix=self.broker_prefix,
            ca_file=ca_file,
            master_name=self.broker_master_name,
            sentinel_password=self.broker_sentinel_password,
        )


class WorkspaceNameSettings(EnvironmentSettings):
    """Which workspace this host sees, where a deployment has several."""

    # By default the deployment's only one, or the one of hosts that share a tree.
    workspace_name: Annotated[str | None, AfterValidator(check_workspace_name)] = None


class ProducerSettings(BucketSettings, BrokerSettings, WorkspaceNameSettings):
    """What the platform needs; the database is in its own session."""


class LivenessSettings(EnvironmentSettings):
    liveness_file: Annotated[Path, Field(examples=["/run/artifacts/alive"])]


class RetentionSettings(EnvironmentSettings):
    """What a preview of the retention rules goes by."""

    # A file in TOML or JSON with prices of storage, where they are not the list prices of S3.
    retention_prices: Annotated[Path, AfterValidator(check_file)] | None = None


class PeriodicSettings(EventSwitch):
    """Which periodic tasks are turned on. Beat and all workers need the same."""

    # Archiving and deleting what the retention rules say, which needs the permissions for it.
    retention: bool = False
    # The audit, which costs requests to the store.
    audit: bool = False


class LogSettings(EnvironmentSettings):
    """The form of lines in the log of workers, beat, Flower, `artifacts web` and `metrics`."""

    log_format: LogFormat = "console"


class ControlSettings(BrokerSettings, PeriodicSettings, LogSettings):
    """What beat and Flower need."""

    # Where beat says that it has sent something, for `artifacts health live`.
    liveness_file: Path | None = None


class BatchSettings(DatabaseSettings, PartSettings):
    """What the commands about batches need; the dispatch does the rest."""


class AttemptSettings(EnvironmentSettings):
    """How often a transfer is tried, and when."""

    # Ten attempts with the backoff below spread over about half an hour.
    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 10
    backoff_base_seconds: Annotated[float, Field(gt=0, le=3600)] = 2
    backoff_cap_seconds: _Seconds = 600
    # A dead worker's transfer waits this long; a living one renews at every third of it.
    lease_seconds: Annotated[float, Field(ge=1, le=3600)] = 60
    # Failures of S3 running, of all workers together, from which on it is left alone for so long.
    breaker_failures: Annotated[int, Field(ge=1, le=1000)] = 5
    breaker_seconds: Annotated[float, Field(gt=0, le=3600)] = 30

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_seconds)


class MetricsSettings(DatabaseSettings, BrokerSettings, AttemptSettings, LogSettings):
    """What the exporter of metrics needs; the attempts' are to be the workers'."""


class OperatorSettings(DatabaseSettings, BucketSettings, AttemptSettings):
    """What a command needs that moves something in the bucket itself."""

    @property
    def failures_forgotten_after(self) -> timedelta:
        """More than from one failure of S3 to the next, while transfers come and S3 is away."""
        failing = 3 * (self.s3_timeout_seconds + 5)  # three tries, each with its connection
        return timedelta(seconds=max(600, 2 * (2 * self.breaker_seconds + failing)))


class WebSettings(OperatorSettings, BrokerSettings, LogSettings):
    """What `artifacts web` needs; the attempts' settings are to be the workers'."""

    # Who may log in: NAME:ROLE:HASH, separated by commas; `artifacts web --hash-password` hashes.
    web_logins: Annotated[str, Field(repr=False)] = ""
    # Or the header in which a reverse proxy names the user, and whose word counts.
    web_user_header: str = ""
    web_trusted_proxies: str = ""
    # Of these users, who may change something; `*` is everyone.
    web_operators: str = ""
    # Names of the server, for the header `Host`; a server on this host alone knows its own.
    web_hosts: str = ""
    # Signs the tokens of forms. By default each process makes its own, which ends with it.
    web_secret: Annotated[str | None, Field(min_length=32, repr=False)] = None


class WorkspaceSettings(WorkspaceNameSettings):
    workspace: Annotated[
        Path, AfterValidator(check_directory), Field(examples=["/srv/simulations"])
    ]


class DownloadSettings(EnvironmentSettings):
    """What a download without `--output-dir` goes by."""

    workspace: Annotated[Path, AfterValidator(check_directory)] | None = None


class HistorySettings(EnvironmentSettings):
    """How long the pipeline keeps its own rows that have ended."""

    # By default without limit. A day at least: operators look at what ended last night.
    history_days: Annotated[float, Field(ge=1, le=100 * 365)] | None = None

    @property
    def history(self) -> timedelta | None:
        return None if self.history_days is None else timedelta(days=self.history_days)


class TracingSettings(EnvironmentSettings):
    """Whether traces are sent; OpenTelemetry's own variables say where and how many."""

    # Spans of each attempt, by the extra `tracing`.
    tracing: bool = False


class WorkerSettings(
    OperatorSettings,
    BrokerSettings,
    WorkspaceSettings,
    HistorySettings,
    PeriodicSettings,
    TracingSettings,
    LogSettings,
    EventDeliverySettings,
):
    """Everything that a worker needs."""

    # Parts of an abandoned upload cost storage; they stay for a weekend at least.
    abandoned_upload_hours: Annotated[float, Field(gt=0, le=24 * 365)] = 7 * 24

    # Pages of the periodic audit that one of its tasks looks at; a page has a thousand objects.
    audit_pages: Annotated[int, Field(ge=1, le=10_000)] = 10

    # Where a worker says that it is listening, for `artifacts health live`.
    liveness_file: Path | None = None

    # Uploads of small kinds that one message may start, and how many of them are under way at once.
    # With 1, each is claimed by its own message.
    page_size: Annotated[int, Field(ge=1, le=500)] = 32
    page_threads: Annotated[int, Field(ge=1, le=64)] = 8

    # Whether each job's directory gets a file that says what is in it.
    manifest: bool = True

    dispatch_page: Annotated[int, Field(ge=1, le=10_000)] = 500
    # Messages in a queue from which on the dispatch adds none; at 1 KB each, 10 MB of the broker.
    dispatch_queue_limit: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000
    # A producer publishes at its commit; a request that is older and unclaimed may have lost its
    # message.
    dispatch_unclaimed_seconds: Annotated[float, Field(ge=0, le=3600)] = 15
    # A message in a long queue is not lost; sending it again too often would make it longer.
    dispatch_republish_seconds: Annotated[_Seconds, Field(ge=1)] = 300


S = TypeVar("S", bound=BaseSettings)


def load(settings: type[S]) -> S:
    """Load the settings from the environment.

    Raises:
        ConfigurationError: some are missing or wrong; names each variable, never quotes a value,
            which may hold a password.
    """
    try:
        return settings()
    except ValidationError as error:
        lines = [_line(settings, item) for item in error.errors()]
        raise ConfigurationError("; ".join(lines)) from None


def _line(settings: type[BaseSettings], error: ErrorDetails) -> str:
    text = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return text
    name = str(error["loc"][0])
    if error["type"] == "missing":
        [example] = settings.model_fields[name].examples or [""]
        text = f"not set (example: {example})"
    return f"ARTIFACTS_{name.upper()}: {text}"
