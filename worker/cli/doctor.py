"""`artifacts doctor`."""

from collections.abc import Iterator

import typer
from rich.text import Text

from worker.cli.options import JsonOption
from worker.cli.output import out, print_json
from worker.diagnosis.backlog import examine_backlog
from worker.diagnosis.broker import examine_broker, impatient_app
from worker.diagnosis.bucket import examine_bucket
from worker.diagnosis.database import examine_database
from worker.diagnosis.findings import Finding, Severity
from worker.diagnosis.workspace import examine_workspace
from worker.s3.client import make_client
from worker.settings import WorkerSettings, load
from worker.sql.engine import make_engine

_COLOURS = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.ERROR: "bold red"}


def doctor(*, as_json: JsonOption = False) -> None:
    """What is wrong with this deployment, and how to mend it.

    Run it where a worker runs, with its settings. The exit status is 1 if there are warnings, and
    2 if there are errors.
    """
    findings = []
    for finding in _examine(load(WorkerSettings)):
        findings.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        print_json([_as_json(finding) for finding in findings])
    raise typer.Exit(max(finding.severity for finding in findings))


def _examine(settings: WorkerSettings) -> Iterator[Finding]:
    client = make_client(settings.s3_endpoint_url, threads=1, bucket=settings.bucket)
    yield from examine_broker(impatient_app(settings.broker_url))
    yield from examine_database(make_engine(settings.database_url))
    yield from examine_bucket(client, settings.bucket)
    yield from examine_workspace(settings.workspace)
    yield from examine_backlog(
        make_engine(settings.database_url), impatient_app(settings.broker_url)
    )


def _show(finding: Finding) -> None:
    severity = finding.severity.name.lower()
    out.print(
        Text(f"{severity:8}", style=_COLOURS[finding.severity]),
        Text(f"{finding.check}: {finding.what}"),
    )
    for word, text in (("why", finding.why), ("mend", finding.mend)):
        if text:
            out.print(Text(f"{'':9}{word}: {text}"), soft_wrap=True)


def _as_json(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "severity": finding.severity.name.lower(),
        "what": finding.what,
        "why": finding.why,
        "mend": finding.mend,
    }
