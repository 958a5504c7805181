"""What `artifacts batch report` writes: a line for each member."""

import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.batches import Member
from artifact_pipeline.worker.composition.batch_report import ReportFormat as ReportFormat  # noqa: PLC0414 - re-exported
from artifact_pipeline.worker.composition.batch_report import report_lines


def write_report(members: Iterable[Member], as_: ReportFormat, output: Path | None) -> None:
    """Write them one by one, so that memory stays constant.

    Raises:
        InvalidRequestError: the file cannot be written.
    """
    try:
        opened = nullcontext(sys.stdout) if output is None else output.open("w", newline="")
        with opened as file:
            file.writelines(report_lines(members, as_))
    except OSError as error:
        raise InvalidRequestError(f"{output}: could not be written: {error.strerror}") from None
