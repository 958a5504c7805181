"""`artifacts doctor`."""

from typing import TYPE_CHECKING

import typer

from worker.cli.options import JsonOption
from worker.cli.output import print_json

if TYPE_CHECKING:
    from worker.diagnosis.findings import Finding

_COLOURS = ("green", "yellow", "bold red")
"""By severity."""


def doctor(*, as_json: JsonOption = False) -> None:
    """What is wrong with this deployment, and how to mend it.

    Run it where a worker runs, with its settings. The exit status is 1 if there are warnings, and
    2 if there are errors.
    """
    from worker.diagnosis.examination import examine_deployment  # noqa: PLC0415 - for the help

    findings = []
    for finding in examine_deployment():
        findings.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        print_json([_as_json(finding) for finding in findings])
    raise typer.Exit(max(finding.severity for finding in findings))


def _show(finding: "Finding") -> None:
    from rich.text import Text  # noqa: PLC0415 - Rich takes long to import

    from worker.cli.output import out  # noqa: PLC0415 - its console as well

    severity = finding.severity.name.lower()
    out.print(
        Text(f"{severity:8}", style=_COLOURS[finding.severity]),
        Text(f"{finding.check}: {finding.what}"),
    )
    for word, text in (("why", finding.why), ("mend", finding.mend)):
        if text:
            out.print(Text(f"{'':9}{word}: {text}"), soft_wrap=True)


def _as_json(finding: "Finding") -> dict[str, str]:
    return {
        "check": finding.check,
        "severity": finding.severity.name.lower(),
        "what": finding.what,
        "why": finding.why,
        "mend": finding.mend,
    }
