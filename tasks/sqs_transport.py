"""Amazon SQS: kombu's transport, with one client for each process and no default region.

boto3 reads region, credentials and endpoint from AWS_DEFAULT_REGION, AWS_PROFILE,
AWS_ENDPOINT_URL_SQS and its other settings.
"""

import json
import os
from functools import cached_property, lru_cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError
from kombu.transport import SQS

ERRORS = (BotoCoreError, ClientError, OSError)
_MISSING = ("NonExistentQueue", "QueueDoesNotExist")


_Kombus: Any = SQS.Channel  # whose stubs lack what is changed here


class MissingRegionError(NoRegionError):
    """No setting of AWS names a region. kombu would take us-east-1."""

    fmt = "AWS_DEFAULT_REGION is not set, and no profile of AWS has a region"


class WrongEndpointError(BotoCoreError):
    """An endpoint is set that boto3 cannot use."""

    fmt = "AWS_ENDPOINT_URL_SQS, or AWS_ENDPOINT_URL, is no URL of HTTP"


class Channel(_Kombus):  # type: ignore[misc]
    """A channel that creates a queue again that was deleted."""

    @cached_property
    def region(self) -> str:
        region: str | None = boto3.Session().region_name
        if region is None:
            raise MissingRegionError
        return region

    def new_sqs_client(self, region: str, access_key_id: str | None, **others: Any) -> Any:  # noqa: ANN401 - of boto3
        """Return the process's client: it takes longer to make one than to send a message."""
        if access_key_id:  # an app of somebody else, with a key in its URL
            return super().new_sqs_client(region, access_key_id, **others)
        config = self.transport_options.get("client-config") or {}
        return client(os.getpid(), region, json.dumps(config, sort_keys=True))

    def forget_url(self, queue: str) -> None:
        """Look for the queue again at its next use."""
        self._queue_cache.pop(self.canonical_queue_name(queue), None)

    def _put(self, queue: str, message: dict[str, Any], **options: Any) -> None:  # noqa: ANN401 - kombu's
        try:
            super()._put(queue, message, **options)
        except ClientError as error:
            if not is_missing_queue(error.response["Error"]["Code"]):
                raise
            self.forget_url(queue)
            super()._put(queue, message, **options)


def is_missing_queue(code: str) -> bool:
    """Return whether an error code of SQS says that the queue does not exist."""
    return code.endswith(_MISSING)


@lru_cache(maxsize=4)
def client(pid: int, region: str, config: str) -> Any:  # noqa: ANN401, ARG001 - a fork needs its own
    """Return a client, which threads can share."""
    session = boto3.Session(region_name=region)
    try:
        return session.client("sqs", config=Config(**json.loads(config)))
    except ValueError:
        raise WrongEndpointError from None


class Transport(SQS.Transport):
    """A transport for which an answer with an error is an outage too."""

    Channel = Channel
    connection_errors = (*SQS.Transport.connection_errors, ClientError)
    channel_errors = (*SQS.Transport.channel_errors, ClientError)
