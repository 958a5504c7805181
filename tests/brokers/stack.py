"""A deployment whose broker is one of a storm's."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from artifact_pipeline.tasks.broker import Broker
from artifact_pipeline.tasks.keys import use_broker
from artifact_pipeline.worker.embedded.stack import EmbeddedStack
from tests.faults.storm_broker import StormBroker
from tests.integration.deployment import Deployment


class _Running:
    """A broker that runs already, in the place of one that the stack starts."""

    def __init__(self, broker: Broker) -> None:
        self.url = broker.url

    def start(self) -> None:
        """Leave it as it is."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it to those who started it."""


class BrokerStack(EmbeddedStack):
    """The embedded stack with a broker that runs already."""

    def __init__(
        self, directory: Path, broker: StormBroker, database_url: str | None = None
    ) -> None:
        super().__init__(directory, database_url)
        self._given = broker
        self.broker: Any = _Running(broker.broker)

    def settings(self) -> dict[str, str]:
        of_broker = settings_of(self._given.broker)
        return {**super().settings(), **of_broker, **self._given.environment}


def settings_of(broker: Broker) -> dict[str, str]:
    """Return the environment that names this broker."""
    named = {
        "ARTIFACTS_BROKER_URL": broker.url,
        "ARTIFACTS_BROKER_MASTER_NAME": broker.master_name,
        "ARTIFACTS_BROKER_PREFIX": broker.prefix,
        "ARTIFACTS_BROKER_CA_FILE": broker.ca_file,
    }
    return {name: value for name, value in named.items() if value}


@contextmanager
def deployed_on(
    broker: StormBroker,
    directory: Path,
    database_url: str | None = None,
    patience_seconds: float = 60,
) -> Iterator[Deployment]:
    """A deployment on this broker; its workers are the test's to start."""
    with BrokerStack(directory, broker, database_url) as stack:
        deployed = Deployment(stack, patience_seconds)
        use_broker(deployed.foreign, broker.broker)
        deployed.foreign.conf.task_ignore_result = True
        deployed.foreign.conf.task_create_missing_queue_type = "quorum"  # of RabbitMQ alone
        yield deployed
