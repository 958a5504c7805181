"""How the commands answer: tables for people, `--json` for programs, errors in one line."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
JobIdOption = Annotated[int, typer.Option("--job-id", min=1, help="The job's id.")]

out = Console(soft_wrap=True)
err = Console(stderr=True)


def show_rows(rows: Sequence[Mapping[str, object]], *, as_json: bool, empty: str) -> None:
    """Print the rows, which all have the same columns."""
    if as_json:
        print_json(rows)
    elif not rows:
        out.print(empty)
    else:
        table = Table(*(column.replace("_", " ") for column in rows[0]), box=None, pad_edge=False)
        for row in rows:
            table.add_row(*("-" if value is None else _plain(value) for value in row.values()))
        out.print(table)


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, default=_plain, indent=2))


def _plain(value: Any) -> str:  # noqa: ANN401 - whatever a row holds
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")
    return str(value.value if isinstance(value, Enum) else value)
