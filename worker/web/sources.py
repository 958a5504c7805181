"""What the answers are read from."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol
from urllib.parse import urlsplit

from celery import Celery
from sqlalchemy import Engine

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.worker.composition.adapters import Adapters
from artifact_pipeline.worker.composition.process_name import new_process_name
from artifact_pipeline.worker.diagnosis.broker import fail_fast_app
from artifact_pipeline.worker.diagnosis.consumers import queue_names
from artifact_pipeline.worker.settings import WebSettings
from artifact_pipeline.worker.sql.job_pages import SqlJobPages
from artifact_pipeline.worker.sql.status import SqlStatus
from artifact_pipeline.worker.web.reads.broker import BrokerView, BrokerWatch
from artifact_pipeline.worker.web.reads.throughput import ThroughputHistory

_AWS = "https://*.amazonaws.com"
_STORE_SECONDS = 5.0
"""An answer of the store that takes longer is none, since someone waits for it."""


class IBrokerWatch(Protocol):
    """What is known of the broker."""

    def view(self, named: Collection[str] = ()) -> BrokerView:
        """Return what is known now.

        Args: `named` are queues of workspaces with a name; the next answer has them too.
        """

    def close(self) -> None:
        """Stop asking."""


@dataclass(kw_only=True)
class Sources:
    """The database, the store and the broker, by the settings.

    Each is made when it is first asked for, and connects when it is first used.

    Attributes:
        adapters: of the database and the store.
        broker: an app of the broker.
    """

    settings: WebSettings
    adapters: Adapters
    broker: Celery

    @classmethod
    def of(cls, settings: WebSettings) -> "Sources":
        """Return the sources that the settings name."""
        seconds = min(settings.s3_timeout_seconds, _STORE_SECONDS)
        quick = settings.model_copy(update={"s3_timeout_seconds": seconds})
        return cls(
            settings=settings,
            adapters=Adapters(quick, f"web:{new_process_name()}"),
            broker=fail_fast_app(settings.broker),
        )

    @property
    def engine(self) -> Engine:
        return self.adapters.engine

    @cached_property
    def queues(self) -> list[str]:
        """All queues, in the order in which they are shown."""
        return queue_names(self.broker)

    @cached_property
    def status(self) -> SqlStatus:
        return SqlStatus(self.engine, self.settings.breaker_failures)

    @cached_property
    def job_pages(self) -> SqlJobPages:
        return SqlJobPages(self.engine)

    @cached_property
    def throughput(self) -> ThroughputHistory:
        return ThroughputHistory(self.engine)

    @cached_property
    def watch(self) -> IBrokerWatch:
        return BrokerWatch(self.broker)

    @property
    def store_origins(self) -> list[str]:
        """Where presigned URLs lead to, as a policy of browsers names it."""
        settings = self.settings
        if settings.store:
            return []
        endpoint = settings.s3_public_endpoint_url or settings.s3_endpoint_url
        if endpoint is None:
            return [_AWS]
        parts = urlsplit(endpoint)
        # The bucket may stand in the path or in the host.
        hosts = (parts.netloc, f"{settings.bucket}.{parts.netloc}")
        return [f"{parts.scheme}://{host}" for host in hosts]

    def check_store(self) -> None:
        """Make the client of the store, so that a wrong setting of AWS ends the start.

        Raises:
            MisconfiguredError: a setting is wrong, such as AWS_PROFILE.
        """
        # While its credentials cannot be fetched, the rest of the pages works.
        with suppress(StoreUnavailableError):
            _ = self.adapters.reader

    def close(self) -> None:
        """Close all connections."""
        if "watch" in self.__dict__:
            self.watch.close()
        self.adapters.close()
