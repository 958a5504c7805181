"""How the commands answer: tables for people, `--json` for programs, errors in one line."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Column, Table
from rich.text import Text

from domain.objects import ObjectAddress
from domain.transfers import Transfer

# A file or a pipe has no edge, and what reads it needs the whole of every cell.
_NO_EDGE = 10_000

out = Console(soft_wrap=True)
err = Console(stderr=True)


def transfer_row(transfer: Transfer) -> dict[str, Any]:
    """What the commands tell of a transfer."""
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
    }


def where(address: ObjectAddress) -> str:
    """An object's address as people write it, which no signature is ever a part of."""
    return f"s3://{address.bucket}/{address.key}"


def size_of(size: int, *, exact: bool) -> int | str:
    """Bytes for a program, rounded for people."""
    return size if exact else decimal(size)


def age(passed: timedelta) -> str:
    """In the largest unit that is full."""
    seconds = max(0, int(passed.total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def show_rows(rows: Sequence[Mapping[str, object]], *, as_json: bool, empty: str) -> None:
    """Print the rows, which all have the same columns."""
    if as_json:
        print_json(rows)
    elif not rows:
        out.print(empty)
    else:
        _print_table(rows)


def _print_table(rows: Sequence[Mapping[str, object]]) -> None:
    columns = [Column(name.replace("_", " "), overflow="fold") for name in rows[0]]
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        # As Text, for in a string Rich would take what stands in brackets for markup.
        table.add_row(*(Text("-" if v is None else plain(v)) for v in row.values()))
    console = out if out.is_terminal else Console(width=_NO_EDGE)
    console.print(table)


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, default=plain, indent=2))


def duration(time: timedelta) -> str:
    """In its two largest units."""
    seconds = max(0, int(time.total_seconds()))
    units = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
    parts = []
    for unit, length in units:
        count, seconds = divmod(seconds, length)
        parts.append((count, unit))
    first = next((i for i, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count}{unit}" for count, unit in parts[first : first + 2])


def plain(value: Any) -> str:  # noqa: ANN401 - whatever a row holds
    """A value as text; moments in UTC."""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")
    return str(value.value if isinstance(value, Enum) else value)
