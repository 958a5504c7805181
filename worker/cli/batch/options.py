"""Options of `artifacts batch`, read into a filter."""

import re
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from pydantic import ValidationError

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.batches import OF_LAST_TRANSFER, BatchFilter, Listed
from artifact_pipeline.domain.model.jobs import MAX_ID, as_utc
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.selection import IdRange
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode

_RANGE = re.compile(r"(\d{1,10})(?:-(\d{1,10}))?")
_RATE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(?:/s)?")


def ids(text: str) -> tuple[IdRange, ...]:
    """Parse ids such as `12`, `12,14` or `12-200,300`."""
    try:
        return tuple(_range(part.strip()) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text}: use ids and ranges, such as 12,14,100-200") from None


def _range(text: str) -> IdRange:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return IdRange(first=int(match[1]), last=int(match[2] or match[1]))


def rate(text: str) -> float:
    """Parse members per second; 0 is no limit."""
    match = _RATE.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text}: use a number of members per second, such as 50/s")
    return float(match[1])


def moment(text: str) -> datetime:
    """Parse a time in ISO 8601; without an offset it is UTC, as all times here."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text}: use a moment such as 2026-01-31T18:00") from None
    try:
        return as_utc(parsed)
    except OverflowError:
        raise typer.BadParameter(f"{text}: in UTC, its year is not 1 to 9999") from None


JobsOption = Annotated[
    list[Any] | None,
    typer.Option("--job-id", parser=ids, metavar="IDS", help="12, 12,14 or 100-200; repeatable."),
]
RunsOption = Annotated[
    list[Any] | None,
    typer.Option("--run-id", parser=ids, metavar="IDS", help="As --job-id, of runs."),
]
UsersOption = Annotated[
    list[int] | None,
    typer.Option("--user-id", min=1, max=MAX_ID, help="Whose jobs; repeatable."),
]
KindsOption = Annotated[
    list[ArtifactKind] | None, typer.Option("--kind", metavar="KIND", help="Repeatable.")
]
DirectionsOption = Annotated[
    list[Direction] | None,
    typer.Option("--direction", metavar="upload|download", help="By default both."),
]
StatesOption = Annotated[
    list[TransferState] | None,
    typer.Option("--state", metavar="STATE", help="Of the last transfer; repeatable."),
]
ReasonsOption = Annotated[
    list[ReasonCode] | None,
    typer.Option("--reason-code", metavar="REASON", help="Of the last transfer; repeatable."),
]
TagsOption = Annotated[
    list[str] | None,
    typer.Option("--tag", help="The job has it; name=value where tags have names; repeatable."),
]
CreatedAfterOption = Annotated[
    datetime | None,
    typer.Option("--created-after", parser=moment, metavar="TIME", help="The job, in UTC."),
]
CreatedBeforeOption = Annotated[
    datetime | None,
    typer.Option("--created-before", parser=moment, metavar="TIME", help="The job, in UTC."),
]
FailedAfterOption = Annotated[
    datetime | None,
    typer.Option("--failed-after", parser=moment, metavar="TIME", help="Given up since, in UTC."),
]
FailedBeforeOption = Annotated[
    datetime | None,
    typer.Option("--failed-before", parser=moment, metavar="TIME", help="Given up before."),
]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--from-file",
        metavar="FILE",
        help="Lines of job_id[,run_id[,kind]]; - is the standard input.",
    ),
]
NeverRequestedOption = Annotated[
    bool,
    typer.Option(
        "--never-requested",
        help="Artifacts of the platform's jobs and runs that were never requested, nor stored.",
    ),
]
IncludeStoredOption = Annotated[
    bool,
    typer.Option("--include-stored", help="With --never-requested: also what is stored."),
]
_OF_LAST_TRANSFER = {
    "states": "--state",
    "reasons": "--reason-code",
    "failed_after": "--failed-after",
    "failed_before": "--failed-before",
    "older_than": "--older-than",
    "newer_than": "--newer-than",
}


def filter_of(**criteria: Any) -> BatchFilter:  # noqa: ANN401 - as Typer hands them over
    """Return the filter. Raises: typer.BadParameter: says what is wrong."""
    given = {name: value for name, value in criteria.items() if value}
    for name in ("job_ids", "run_ids"):
        if name in given:
            given[name] = [each for ranges in given[name] for each in ranges]
    _refuse_what_cannot_apply(given)
    try:
        return BatchFilter(**given)
    except ValidationError as error:
        first = error.errors()[0]
        where = str(first["loc"][0])
        raise typer.BadParameter(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None


def _refuse_what_cannot_apply(given: Mapping[str, Any]) -> None:
    if "never_requested" in given:
        misfits = [_OF_LAST_TRANSFER[name] for name in OF_LAST_TRANSFER if name in given]
        if misfits:
            raise typer.BadParameter(
                f"{', '.join(misfits)} and --never-requested: artifacts that were never requested"
                " have no last transfer; give only one of them"
            )
    elif "include_stored" in given:
        raise typer.BadParameter("--include-stored belongs to --never-requested: give both")


def listed_in(path: Path) -> Iterator[Listed]:
    """Return the lines of the file, or of the standard input for `-`.

    Raises:
        InvalidRequestError: names the first line that is wrong.
    """
    if str(path) == "-":
        try:
            yield from _lines(sys.stdin, "the standard input")
        except OSError as error:
            raise InvalidRequestError(f"the standard input: {error.strerror}") from None
        return
    try:
        with path.open(encoding="utf-8") as file:
            yield from _lines(file, str(path))
    except OSError as error:
        raise InvalidRequestError(f"{path}: {error.strerror}") from None


def _lines(file: TextIO, name: str) -> Iterator[Listed]:
    try:
        for number, line in enumerate(file, start=1):
            text = line.strip()
            if text and not text.startswith(("#", "job_id")):
                yield _line(text, f"{name}, line {number}")
    except UnicodeDecodeError:
        raise InvalidRequestError(
            f"{name}: not text in UTF-8. Save it so, with job_id[,run_id[,kind]] in each line"
        ) from None


def _line(text: str, where: str) -> Listed:
    cells = [cell.strip() for cell in text.split(",")]
    try:
        return _listed(*cells)
    except (ValueError, TypeError, InvalidRequestError):
        raise InvalidRequestError(f"{where}: use job_id[,run_id[,kind]]") from None


def _listed(job_id: str, run_id: str = "", kind: str = "") -> Listed:
    listed = Listed(
        int(job_id), int(run_id) if run_id else None, ArtifactKind(kind) if kind else None
    )
    # Use any kind: only the ids are checked.
    any_kind = ArtifactKind.JOB_CONFIG if listed.run_id is None else ArtifactKind.RUN_CONFIG
    Artifact(any_kind, listed.job_id, listed.run_id)
    if listed.run_id is not None and listed.kind is not None and not listed.kind.belongs_to_run:
        raise InvalidRequestError(f"{listed.kind} belongs to the job")
    return listed
