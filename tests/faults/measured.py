"""What `python -m tests.faults.report` measures, and the report of it."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.audit import Wrong
from tests.faults.driver import Report
from tests.faults.figures import Figure
from tests.faults.hosts import HostsReport


@dataclass(frozen=True, kw_only=True)
class Storm:
    """A small storm.

    Attributes:
        broker: one of `BROKERS`.
        faults: how often each fault was inflicted.
        s3_faults: requests to S3 and answers of it that were spoilt.
        found: how many findings of each kind.
    """

    broker: str
    seed: int
    requested: int
    done: int
    seconds: float
    faults: dict[str, int]
    s3_faults: int
    found: dict[str, int]

    @property
    def is_right(self) -> bool:
        return self.done == self.requested and not any(self.found.values())


def storm_of(report: Report) -> Storm:
    """Return what is kept of a storm."""
    found = Counter(finding.wrong for finding in report.findings)
    return Storm(
        broker=report.broker,
        seed=report.seed,
        requested=report.requested,
        done=report.done,
        seconds=report.seconds,
        faults=dict(sorted(report.faults.items())),
        s3_faults=sum(report.s3_faults.values()),
        found={wrong.value: found[wrong] for wrong in Wrong},
    )


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Everything that was measured.

    Attributes:
        storms: by broker and seed.
        takeovers: the figures of a killed worker's upload, by broker.
        hosts: by the number of hosts.
    """

    storms: dict[tuple[str, int], Storm] = field(default_factory=dict)
    takeovers: dict[str, list[Figure]] = field(default_factory=dict)
    hosts: dict[int, HostsReport] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        content = {
            "storms": [asdict(storm) for _, storm in sorted(self.storms.items())],
            "takeovers": {
                broker: [asdict(figure) for figure in figures]
                for broker, figures in sorted(self.takeovers.items())
            },
            "hosts": [asdict(hosts) for _, hosts in sorted(self.hosts.items())],
        }
        path.write_text(f"{json.dumps(content, indent=2)}\n")


def read_measured(path: Path) -> Measured:
    """Read what was measured before; nothing if there is no report."""
    if not path.exists():
        return Measured()
    content: dict[str, Any] = json.loads(path.read_text())
    storms = [Storm(**row) for row in content["storms"]]
    hosts = [HostsReport(**row) for row in content["hosts"]]
    return Measured(
        storms={(storm.broker, storm.seed): storm for storm in storms},
        takeovers={
            broker: [Figure(**row) for row in rows] for broker, rows in content["takeovers"].items()
        },
        hosts={each.hosts: each for each in hosts},
    )
