"""Amazon SQS as the broker of a storm: moto's, behind a proxy."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import boto3

from artifact_pipeline.tasks import sqs_transport
from artifact_pipeline.tasks.broker import Broker
from tests.faults.proxy import TcpProxy
from tests.faults.queues import QUEUES
from tests.faults.storm_broker import Action, ForAWhile, Started
from tests.servers import Moto

_REGION = "us-east-1"
_LONGEST = 500_000
"""Characters. SQS takes no more than 1 MiB."""
_NO_CONTROLS = dict.fromkeys({*range(32)} - {9, 10, 13})


class SqsBroker(Started):
    """moto's queues, which it keeps in memory."""

    forgets = frozenset({"queues purged", "broker killed"})

    def __init__(self, directory: Path) -> None:
        super().__init__()
        directory.mkdir(parents=True, exist_ok=True)
        self.server = self._exit.enter_context(Moto(directory))
        self.proxy = self._exit.enter_context(TcpProxy(("127.0.0.1", self.server.port)))
        self.broker = self.direct = Broker(url="sqs://")
        # The URL has no address: as with AWS, workers and tests get it from the environment.
        self.environment = {
            "AWS_ENDPOINT_URL_SQS": f"http://127.0.0.1:{self.proxy.port}",
            "AWS_DEFAULT_REGION": _REGION,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests-secret",
        }
        self._exit.enter_context(patch.dict(os.environ, self.environment))
        sqs_transport.client.cache_clear()
        self._client: Any = boto3.client(
            "sqs",
            endpoint_url=self.server.url,
            region_name=_REGION,
            aws_access_key_id="tests",
            aws_secret_access_key="tests-secret",
        )
        self._create()

    def _create(self) -> None:
        self._urls = {
            queue: self._client.create_queue(QueueName=queue)["QueueUrl"] for queue in QUEUES
        }

    def faults(self, for_a_while: ForAWhile, rng: Random) -> Mapping[str, Action]:  # noqa: ARG002 - of the port
        return {
            "broker killed": self._restart,
            "queues purged": self._purge,
            "broker away": lambda: for_a_while(self.proxy.refuse),
            "broker cut": self.proxy.cut,
            "broker half open": lambda: for_a_while(self.proxy.half_open),
        }

    def heal(self) -> None:
        self.proxy.heal()

    def messages(self) -> dict[str, int]:
        """Return how many there are in each queue, held or not."""
        return {queue: self._count(url) for queue, url in self._urls.items()}

    def inject(self, queue: str, element: bytes) -> None:
        """Send an element of Redis as a message; SQS takes text alone."""
        text = element.decode("latin-1").translate(_NO_CONTROLS)[:_LONGEST] or "empty"
        self._client.send_message(QueueUrl=self._urls[queue.partition("\x06")[0]], MessageBody=text)

    def _count(self, url: str) -> int:
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        answer = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))
        return sum(int(answer["Attributes"][name]) for name in names)

    def _restart(self) -> None:
        """Lose all messages, and the queues of notes: workers create them again."""
        self.server.kill()
        self.server.start()
        self._create()

    def _purge(self) -> None:
        for url in self._urls.values():
            # moto keeps SQS's rule of one purge a minute.
            with suppress(self._client.exceptions.PurgeQueueInProgress):
                self._client.purge_queue(QueueUrl=url)
