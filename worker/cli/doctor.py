"""`artifacts doctor`."""

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from artifact_pipeline.worker.cli.health import OnlyOption
from artifact_pipeline.worker.cli.options import JsonOption
from artifact_pipeline.worker.cli.output import print_json
from artifact_pipeline.worker.cli.signals import unwind_on_signals

if TYPE_CHECKING:
    from artifact_pipeline.worker.diagnosis.findings import Finding

_COLOURS = ("green", "yellow", "bold red")
"""By severity."""


def doctor(
    *,
    only: OnlyOption = None,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Also try the store: write below jobs/.probe/, and remove it (about 25 MB).",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Examine this deployment: what is wrong, and how to fix it.

    Run it where a worker runs, with its settings. The exit status is 1 if there are warnings, and
    2 if there are errors.
    """
    from artifact_pipeline.worker.diagnosis.examination import examine_deployment  # noqa: PLC0415 - for the help

    if probe:
        # What the probe has written is removed even if a signal ends the command.
        unwind_on_signals()
    findings = []
    with closing(examine_deployment(only or (), with_probe=probe)) as examination:
        for finding in examination:
            findings.append(finding)
            if not as_json:
                _show(finding)
    if as_json:
        print_json([_as_json(finding) for finding in findings])
    raise typer.Exit(max(finding.severity for finding in findings))


def _show(finding: "Finding") -> None:
    from rich.text import Text  # noqa: PLC0415 - Rich takes long to import

    from artifact_pipeline.worker.cli.output import out  # noqa: PLC0415 - its console as well

    severity = finding.severity.name.lower()
    out.print(
        Text(f"{severity:8}", style=_COLOURS[finding.severity]),
        Text(f"{finding.check}: {finding.what}"),
    )
    for word, text in (("why", finding.why), ("fix", finding.fix)):
        if text:
            out.print(Text(f"{'':9}{word}: {text}"), soft_wrap=True)


def _as_json(finding: "Finding") -> dict[str, str]:
    return {
        "check": finding.check,
        "severity": finding.severity.name.lower(),
        "what": finding.what,
        "why": finding.why,
        "fix": finding.fix,
        "mend": finding.fix,  # the name of `fix` in earlier versions
    }
