"""`python -m tests.faults`: the whole of it, for minutes; exit status 1 if anything was lost."""

import argparse
import json
import logging
import sys
from pathlib import Path

from artifact_pipeline.worker.embedded.lifeline import temporary_directory
from tests.faults.brokers import BROKERS
from tests.faults.driver import Plan, Report, run
from tests.faults.load import Load

_REPORT = Path("faults-report.json")


def main() -> int:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("domain").setLevel(logging.ERROR)
    load = Load(options.seed, options.small, options.large, options.large_mib * 2**20)
    plan = Plan(
        load=load,
        workers=options.workers,
        pause=options.pause,
        chaos=options.minutes * 60,
        patience=options.minutes * 60,
        broker=options.broker,
    )
    with temporary_directory("artifacts-faults-") as directory:
        report = run(plan, directory)
    _REPORT.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    _show(report)
    return 1 if report.findings else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults ARGS=…", description=__doc__)
    parser.add_argument("--broker", choices=BROKERS, default="valkey")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", type=int, default=10_000, help="artifacts up to 20 KB")
    parser.add_argument("--large", type=int, default=20, help="artifacts of --large-mib")
    parser.add_argument("--large-mib", type=int, default=256)
    parser.add_argument("--workers", type=int, default=3, help="processes with two children each")
    parser.add_argument("--pause", type=float, default=1, help="seconds between two faults")
    parser.add_argument("--minutes", type=float, default=30, help="faults at the most, then peace")
    return parser.parse_args()


def _show(report: Report) -> None:
    for name, value in report.as_json().items():
        if isinstance(value, dict):
            print(f"{name}:")
            for fault, count in sorted(value.items()):
                print(f"  {count:6}  {fault}")
        elif name != "findings":
            print(f"{name}: {value}")
    print(f"{len(report.findings)} findings")
    for finding in report.findings[:20]:
        print(f"  {finding.wrong}: {finding.what}")


if __name__ == "__main__":
    sys.exit(main())
