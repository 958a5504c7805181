"""How the commands answer: tables for people, `--json` for programs, errors in one line."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.durations import age
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.transfers import Transfer

if TYPE_CHECKING:
    from rich.console import Console


class Count(int):
    """A number of things: with its thousands apart for people, plain for programs."""

    def __str__(self) -> str:
        return f"{int(self):,}"


class Size(int):
    """A number of bytes: rounded for people, exact for programs."""

    def __str__(self) -> str:
        return str(size_of(int(self)))


def __getattr__(name: str) -> "Console":
    """Make Rich's consoles `out` and `err` when they are asked for: the import takes long."""
    if name not in {"out", "err"}:
        raise AttributeError(name)
    from rich.console import Console  # noqa: PLC0415 - see above

    console = Console(soft_wrap=True) if name == "out" else Console(stderr=True)
    globals()[name] = console
    return console


def say(line: str = "") -> None:
    """Print a line to standard output."""
    # Do not use typer.echo, which bypasses a stream whose encoding is ASCII, and its guard.
    sys.stdout.write(f"{line}\n")


def note(line: str) -> None:
    """Print a line to standard error, beside the answer."""
    sys.stderr.write(f"{line}\n")


def transfer_row(transfer: Transfer) -> dict[str, Any]:
    """Return what the commands show of a transfer."""
    return {
        "id": transfer.id,
        "kind": transfer.artifact.kind,
        "run_id": transfer.artifact.run_id,
        "direction": transfer.direction,
        "state": transfer.state,
        "attempts": transfer.attempts,
        "requested_at": transfer.requested_at,
        "finished_at": transfer.finished_at,
        "reason": transfer.reason_code,
        "error": transfer.last_error,
        "requested_by": transfer.requested_by,
    }


def why(error: PipelineError | None) -> str | None:
    """Return an error with the address of its object, for a row that does not show the address."""
    if error is None:
        return None
    return str(error) if error.place is None else f"{error.place}: {error}"


def where(address: ObjectAddress) -> str:
    """Return an object's address as people write it, which never has a signature."""
    return address.url


def size_of(size: int, *, exact: bool = False) -> Any:  # noqa: ANN401 - an integer or a text
    """Return the bytes as they are, or rounded for people."""
    from rich.filesize import decimal  # noqa: PLC0415 - Rich takes long to import

    return size if exact else decimal(size)


def show_rows(
    rows: Sequence[Mapping[str, object]],
    *,
    as_json: bool,
    empty: str,
    brief: Sequence[str] = (),
    wide: bool = False,
) -> None:
    """Print the rows, which all have the same columns.

    Args:
        rows: in their order.
        as_json: all of each row, for programs.
        empty: what to say if there are none.
        brief: the columns for a terminal, the most important first; by default all in their order.
        wide: all columns, and nothing is cut.
    """
    if as_json:
        print_json(rows)
    elif not rows:
        say(empty)
    else:
        from artifact_pipeline.worker.cli.tables import print_table  # noqa: PLC0415 - Rich takes long to import

        print_table(rows, brief=brief, wide=wide)


def print_json(value: object) -> None:
    """Print it indented; moments, ages and sizes as `machine` has them."""
    say(json.dumps(value, default=machine, indent=2))


def machine(value: Any) -> Any:  # noqa: ANN401 - whatever a row holds
    """Return what JSON lacks: moments as ISO 8601 in UTC, ages as seconds, models as objects."""
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None)
        return moment.isoformat(timespec="seconds") + "Z"
    if isinstance(value, timedelta):
        return value.total_seconds()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_defaults=True)
    return str(value.value if isinstance(value, Enum) else value)


def plain(value: Any) -> str:  # noqa: ANN401 - whatever a row holds
    """Return a value as text for people; moments in UTC."""
    if isinstance(value, datetime):
        return machine(value).replace("T", " ")  # type: ignore[no-any-return]
    if isinstance(value, timedelta):
        return age(value)
    if isinstance(value, list):
        return ", ".join(plain(each) for each in value) or "-"
    if hasattr(value, "model_dump_json"):
        return str(value.model_dump_json(exclude_defaults=True))
    return str(value.value if isinstance(value, Enum) else value)
