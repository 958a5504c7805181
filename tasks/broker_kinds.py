"""The kinds of brokers: which URLs name each, and how it differs from the others.

It loads no Celery: a health check reads its settings every few seconds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REDIS_OPTION = "global_keyprefix"
AMQPS_OPTIONS = frozenset(
    {
        *("ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_ciphers"),
        "ssl_check_hostname",
    }
)
"""Options of TLS in a URL of RabbitMQ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerKind:
    """One kind of broker.

    Attributes:
        name: for people.
        schemes: of its URLs, with `://`.
        example: of a URL.
        prefix_option: kombu's transport option for ARTIFACTS_BROKER_PREFIX; empty if it has none.
        settings: of Celery, instead of those in celeryconfig.py, which are for Redis.
        time_outs: names of the transport options that are seconds to wait for an answer.
        queue_arguments: of each queue of tasks.
        prefix_replaced: a pattern of the characters that names in it cannot have. They become _.
        own_place: what separates environments on one broker, if it has no prefixes.
        has_control: whether workers can be asked something, and send events.
        is_group: several URLs name members of one group, such as its sentinels. Otherwise they are
            brokers to try in turn.
    """

    name: str
    schemes: tuple[str, ...]
    example: str
    prefix_option: str = ""
    prefix_replaced: str = ""
    own_place: str = ""
    has_control: bool = True
    is_group: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    time_outs: tuple[str, ...] = ("socket_timeout", "socket_connect_timeout")
    queue_arguments: Mapping[str, str] = field(default_factory=dict)

    def prefix(self, given: str) -> str:
        """Return the prefix as names in the broker begin."""
        return re.sub(self.prefix_replaced, "_", given) if self.prefix_replaced else given


REDIS = BrokerKind(
    name="Redis",
    schemes=("redis://", "rediss://", "redis+socket://"),
    example="redis://host:6379/0",
    prefix_option=REDIS_OPTION,
)
SENTINEL = BrokerKind(
    name="Redis Sentinel",
    schemes=("sentinel://", "sentinels://"),
    example="sentinel://host1:26379/0;sentinel://host2:26379/0",
    prefix_option=REDIS_OPTION,
    is_group=True,
)
RABBITMQ = BrokerKind(
    name="RabbitMQ",
    schemes=("amqp://", "amqps://"),
    example="amqp://user:PASSWORD@host:5672/vhost",
    own_place="virtual host",
    settings={
        # A publish waits until the broker has the message on its disks.
        "broker_transport_options": {"confirm_publish": True},
        # A connection that is dead without a word is found within two of these (seconds).
        "broker_heartbeat": 20,
        # Queues of workspaces with names are made at their first use, and are like the others.
        "task_create_missing_queue_type": "quorum",
    },
    time_outs=("read_timeout", "write_timeout"),
    queue_arguments={"x-queue-type": "quorum"},
)
POSTGRESQL = BrokerKind(
    name="PostgreSQL",
    schemes=("postgresql://", "postgresql+psycopg://"),
    example="postgresql://user:PASSWORD@host/database",
    own_place="database",
    settings={
        "broker_transport_options": {
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            # A worker hides what it holds from the others for so long, and renews that (seconds).
            "visibility_timeout": 40,
        },
        # A publish opens a connection of its own: each child would keep one of the server's.
        "broker_pool_limit": 0,
    },
)
SQS = BrokerKind(
    name="Amazon SQS",
    schemes=("sqs://",),
    example="sqs://",
    prefix_option="queue_name_prefix",
    prefix_replaced=r"[^0-9A-Za-z_-]",
    has_control=False,
    settings={
        "broker_transport_options": {
            # A worker hides what it holds from the others for so long, and renews that (seconds).
            "visibility_timeout": 40,
            # A request waits at SQS for so long.
            "wait_time_seconds": 20,
            # Wait for a free place in the worker, and between two requests.
            "polling_interval": 0.1,
            # Without them a dead connection stops the worker's main loop for minutes.
            "client-config": {
                "connect_timeout": 3,
                "read_timeout": 5,
                "retries": {"total_max_attempts": 2},
            },
            # SQS drops a message that is older; 14 days are its most.
            "sqs-creation-attributes": {"MessageRetentionPeriod": "1209600"},
        },
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
    },
    time_outs=(),
)
KINDS = (REDIS, SENTINEL, RABBITMQ, POSTGRESQL, SQS)


def kind_of_url(url: str) -> BrokerKind | None:
    """Return the kind of the broker that a URL names, or None if no kind has its scheme.

    Args:
        url: or several, separated by semicolons, which are of one kind.
    """
    return next((kind for kind in KINDS if url.startswith(kind.schemes)), None)


def split_urls(url: str) -> list[str]:
    """Return the URLs to connect to in turn; the members of a group are one of them."""
    kind = kind_of_url(url)
    return [url] if kind is not None and kind.is_group else url.split(";")


def all_schemes() -> str:
    """Return the schemes of all kinds, for an error message."""
    schemes = [scheme for kind in KINDS for scheme in kind.schemes]
    return f"{', '.join(schemes[:-1])} or {schemes[-1]}"
