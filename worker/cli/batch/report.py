"""What `artifacts batch report` writes: a line for each member."""

import csv
import json
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict, fields
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.batches import Member
from artifact_pipeline.worker.cli.output import machine


class ReportFormat(StrEnum):
    CSV = "csv"
    JSON = "json"


def write_report(members: Iterable[Member], as_: ReportFormat, output: Path | None) -> None:
    """Write them one by one, so that memory stays constant.

    Raises:
        InvalidRequestError: the file cannot be written.
    """
    try:
        opened = nullcontext(sys.stdout) if output is None else output.open("w", newline="")
        with opened as file:
            write = _write_csv if as_ is ReportFormat.CSV else _write_json
            write(members, file)
    except OSError as error:
        raise InvalidRequestError(f"{output}: could not be written: {error.strerror}") from None


def _write_csv(members: Iterable[Member], file: TextIO) -> None:
    writer = csv.writer(file)
    names = [field.name for field in fields(Member)]
    writer.writerow(names)
    for member in members:
        values = [getattr(member, name) for name in names]
        writer.writerow(["" if value is None else machine(value) for value in values])


def _write_json(members: Iterable[Member], file: TextIO) -> None:
    file.writelines(json.dumps(asdict(member), default=machine) + "\n" for member in members)
