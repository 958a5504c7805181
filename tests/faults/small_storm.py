"""A small storm on any broker: workers die, and the broker does what is worst for it."""

from tests.faults.driver import Plan
from tests.faults.load import Load

_OF_WORKERS = {"worker killed", "worker stopped", "beat killed", "messages delivered twice"}
OF_BROKERS = {
    "valkey": {"broker restarted", "broker cut", "broker half open", "broker flushed"},
    "sentinel": {"master killed", "master frozen", "sentinel killed", "broker cut"},
    "rabbitmq": {"broker killed", "broker cut", "broker half open", "queues purged"},
    "postgresql": {
        *("broker cut", "broker half open", "queues purged"),
        *("PostgreSQL restarted", "PostgreSQL cut"),
    },
    "sqs": {"broker killed", "broker away", "broker cut", "broker half open", "queues purged"},
}
"""The faults of each broker, by its name in `BROKERS`."""


def small_storm(broker: str, seed: int = 1) -> Plan:
    """Return the plan of a storm that takes a minute or two."""
    return Plan(
        load=Load(seed=seed, small=40, large=1, large_bytes=20 * 2**20),
        workers=2,
        pause=0.2,
        chaos=60,
        patience=90,
        is_spread=True,
        broker=broker,
        only=frozenset(_OF_WORKERS | OF_BROKERS[broker]),
    )
