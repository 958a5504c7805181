"""Options of `artifacts batch start` and `change`: how fast, when, and before which others."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from artifact_pipeline.domain.model.batches import BatchPriority
from artifact_pipeline.domain.model.release_windows import ALWAYS, ReleaseWindow
from artifact_pipeline.worker.byte_sizes import parse_size
from artifact_pipeline.worker.cli.batch.options import rate


def size(text: str) -> int:
    """Parse bytes such as `10MiB`, `500kB` or `1048576`."""
    try:
        return parse_size(text.removesuffix("/s"))
    except ValueError as error:
        raise typer.BadParameter(f"{text}: {error}") from None


def window(between: str | None, zone: str | None, *, none: bool = False) -> ReleaseWindow | None:
    """Return the window of `--between`, `--timezone` and `--no-between`; None if none is given.

    Raises: typer.BadParameter, InvalidRequestError.
    """
    if none and between is not None:
        raise typer.BadParameter("--between and --no-between: give only one of them")
    return ReleaseWindow.given(between, zone) or (ALWAYS if none else None)


RateOption = Annotated[
    float | None,
    typer.Option("--rate", parser=rate, metavar="N/s", help="Members per second; 0 is no limit."),
]
InFlightOption = Annotated[
    int | None,
    typer.Option("--max-in-flight", min=1, max=1_000_000, help="Members requested at once."),
]
BytesOption = Annotated[
    int | None,
    typer.Option(
        "--bytes-per-second",
        parser=size,
        metavar="SIZE",
        help="Of the whole batch, on average, such as 10MiB; 0 is no limit.",
    ),
]
BetweenOption = Annotated[
    str | None,
    typer.Option(
        "--between",
        metavar="HH:MM-HH:MM",
        help="Release members only in these hours, such as 22:00-06:00.",
    ),
]
ZoneOption = Annotated[
    str | None,
    typer.Option("--timezone", metavar="ZONE", help="Of --between, by default UTC."),
]
NoBetweenOption = Annotated[
    bool, typer.Option("--no-between", help="Release members at any hour again.")
]
PriorityOption = Annotated[
    BatchPriority | None,
    typer.Option("--priority", help="A batch of a higher one releases its members first."),
]


def pace_of(
    *,
    rate: float | None,
    max_in_flight: int | None,
    bytes_per_second: int | None,
    between: ReleaseWindow | None,
    priority: BatchPriority | None,
) -> dict[str, Any]:
    """Return what is to be changed. Raises: typer.BadParameter: nothing is given."""
    given = {
        "rate": rate,
        "max_in_flight": max_in_flight,
        "bytes_per_second": bytes_per_second,
        "between": between,
        "priority": priority,
    }
    found = {name: value for name, value in given.items() if value is not None}
    if not found:
        raise typer.BadParameter(
            "give --rate, --max-in-flight, --bytes-per-second, --between, --no-between or"
            " --priority"
        )
    return found


def target_of(pace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the change as the audit trail keeps it."""
    return {name: str(value) if name == "between" else value for name, value in pace.items()}
