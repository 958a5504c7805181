"""What was measured under faults, as tables in the documentation."""

from collections import Counter
from collections.abc import Iterable, Sequence

from benchmarks.marks import table
from tests.faults.audit import Wrong
from tests.faults.measured import Measured, Storm

TITLES = {
    "valkey": "Valkey",
    "sentinel": "Redis Sentinel",
    "rabbitmq": "RabbitMQ, quorum queues",
    "postgresql": "PostgreSQL",
    "sqs": "Amazon SQS, by moto's emulator",
}
"""The brokers, in the order of the rows."""
_KILLED = "worker or beat killed"
_BROKER = "broker killed, frozen or restarted"
_PARTITIONS = "connections cut or hanging"
_MESSAGES = "queues emptied or messages doubled"
_CLASSES = {
    **dict.fromkeys(("worker killed", "worker stopped", "beat killed"), _KILLED),
    **dict.fromkeys(
        (
            *("broker killed", "broker restarted", "master killed", "master frozen"),
            *("sentinel killed", "PostgreSQL restarted"),
        ),
        _BROKER,
    ),
    **dict.fromkeys(
        ("broker cut", "broker half open", "broker away", "PostgreSQL cut"), _PARTITIONS
    ),
    **dict.fromkeys(("queues purged", "broker flushed", "messages delivered twice"), _MESSAGES),
}
"""The column that counts a fault."""
_COLUMNS = (_KILLED, _BROKER, _PARTITIONS, _MESSAGES)


def tables(measured: Measured) -> dict[str, str]:
    """Return each table by the name of its marks."""
    return {
        "storms": _storms(measured),
        "takeovers": _takeovers(measured),
        "hosts": _hosts(measured),
    }


def _storms(measured: Measured) -> str:
    head = ["broker", "storms", *_COLUMNS, "S3 faults", "requested", "done", *Wrong]
    rows = []
    for broker, title in TITLES.items():
        storms = [storm for storm in measured.storms.values() if storm.broker == broker]
        if storms:
            rows.append([title, *_sums(storms)])
    return _table(head, rows)


def _sums(storms: Sequence[Storm]) -> list[int]:
    classes: Counter[str] = Counter()
    for storm in storms:
        for fault, times in storm.faults.items():
            classes[_CLASSES[fault]] += times
    return [
        len(storms),
        *(classes[column] for column in _COLUMNS),
        sum(storm.s3_faults for storm in storms),
        sum(storm.requested for storm in storms),
        sum(storm.done for storm in storms),
        *(sum(storm.found[wrong] for storm in storms) for wrong in Wrong),
    ]


def _takeovers(measured: Measured) -> str:
    head = ["broker", "its message is delivered again", "another worker continues", "sent again"]
    rows = [
        [
            TITLES[broker],
            *(f"{each.measured:,.1f} {each.unit} of {each.limit:,.0f}" for each in figures),
        ]
        for broker in TITLES
        if (figures := measured.takeovers.get(broker))
    ]
    return _table(head, rows)


def _hosts(measured: Measured) -> str:
    head = [
        *("hosts", "hosts killed", "messages to a wrong host"),
        *("uploads requested", "done", "quarantined", "misplaced"),
    ]
    rows = [
        [
            *(each.hosts, each.kills, each.wrong_messages),
            *(each.requested, each.done, each.quarantined, each.misplaced),
        ]
        for _, each in sorted(measured.hosts.items())
    ]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return table(" | ".join(head), (" | ".join(map(_cell, row)) for row in rows))


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
