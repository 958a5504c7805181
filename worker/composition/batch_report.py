"""The report of a batch: a line for each member, made one by one."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any

from artifact_pipeline.domain.model.batches import Member

_NAMES = [field.name for field in fields(Member)]


class ReportFormat(StrEnum):
    CSV = "csv"
    JSON = "json"


def report_lines(members: Iterable[Member], as_: ReportFormat) -> Iterator[str]:
    """Yield the lines, so that memory stays constant."""
    return _csv_lines(members) if as_ is ReportFormat.CSV else _json_lines(members)


def _csv_lines(members: Iterable[Member]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)

    def line(values: list[Any]) -> str:
        writer.writerow(values)
        text = buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
        return text

    yield line(_NAMES)
    for member in members:
        values = [getattr(member, name) for name in _NAMES]
        yield line(["" if value is None else _plain(value) for value in values])


def _json_lines(members: Iterable[Member]) -> Iterator[str]:
    for member in members:
        yield json.dumps(asdict(member), default=_plain) + "\n"


def _plain(value: Any) -> str:  # noqa: ANN401 - of any field
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None)
        return moment.isoformat(timespec="seconds") + "Z"
    return str(value.value if isinstance(value, Enum) else value)
