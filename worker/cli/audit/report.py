"""The report of an audit: a line for each fault, and beside it how far the audit is."""

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from artifact_pipeline.domain.catalog.audit_findings import AuditFinding
from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.audit_cursor import AuditCursor
from artifact_pipeline.worker.cli.jobs.uploads.verify import row_of as verdict_row
from artifact_pipeline.worker.cli.output import machine

COLUMNS = (
    *("job_id", "kind", "run_id", "outcome", "size", "sha256", "location", "error"),
    "repair",
)

WHOLE = "the whole store"
"""The scope of an audit of all jobs, by a listing."""


def row_of(finding: AuditFinding) -> dict[str, Any]:
    """Return what the report and the table show of a fault."""
    row = verdict_row(finding.verified)
    # Show the exact size, also in the cells of a CSV.
    size = None if row["size"] is None else int(row["size"])
    repair = None if finding.repair is None else str(finding.repair)
    return {"job_id": finding.job_id, **row, "size": size, "repair": repair}


class AuditReport:
    """A file of JSON lines, or of CSV if it is named so, that a killed audit can continue.

    Args:
        path: of the file. `PATH.progress` beside it lasts until the audit has ended.
        scope: what is audited; only the same can continue it.

    Raises:
        InvalidRequestError: the file is there and no audit of it is to be continued, or one of
            another scope, or one of the two cannot be read or written.
    """

    def __init__(self, path: Path, scope: str = WHOLE) -> None:
        self._path = path
        self._scope = scope
        self._progress = path.with_name(f"{path.name}.progress")
        self._is_csv = path.suffix == ".csv"
        self.cursor = AuditCursor()
        self.is_continued = self._progress.exists()
        self._file: BinaryIO
        try:
            if self.is_continued:
                kept = json.loads(self._progress.read_text())
                self._refuse_other(kept.get("scope", WHOLE))
                self.cursor = AuditCursor.load(kept["cursor"])
                self._file = path.open("r+b")
                # Faults written after the noted progress are found again.
                self._file.truncate(kept["bytes"])
                self._file.seek(0, os.SEEK_END)
            else:
                self._file = path.open("xb")
                self._write(_csv([COLUMNS]) if self._is_csv else "")
        except FileExistsError:
            raise InvalidRequestError(
                f"{path}: it exists already. Name another file, or remove this one"
            ) from None
        except InvalidRequestError:
            raise
        except (OSError, ValueError, KeyError) as error:
            raise InvalidRequestError(f"{path}: cannot be continued: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        if kind is None:
            self._progress.unlink(missing_ok=True)

    def _refuse_other(self, scope: str) -> None:
        if scope != self._scope:
            raise InvalidRequestError(
                f"{self._path}: it has an unfinished audit of {scope}, and not of {self._scope}:"
                " name another file"
            )

    def add(self, findings: Sequence[AuditFinding]) -> None:
        """Write the faults of a page, and that the audit is at the cursor."""
        rows = [row_of(finding) for finding in findings]
        self._write(_csv(map(_cells, rows)) if self._is_csv else "".join(map(_line, rows)))
        noted = {
            "scope": self._scope,
            "bytes": self._file.tell(),
            "cursor": self.cursor.dump(),
        }
        unfinished = self._progress.with_name(f"{self._progress.name}.part")
        try:
            unfinished.write_text(json.dumps(noted))
            unfinished.replace(self._progress)
        except OSError as error:
            raise InvalidRequestError(
                f"{self._progress}: could not be written: {error.strerror}"
            ) from None

    def _write(self, text: str) -> None:
        try:
            self._file.write(text.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise InvalidRequestError(
                f"{self._path}: could not be written: {error.strerror}"
            ) from None


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, default=machine) + "\n"


def _cells(row: Mapping[str, Any]) -> list[Any]:
    return ["" if row[name] is None else machine(row[name]) for name in COLUMNS]


def _csv(rows: Any) -> str:  # noqa: ANN401 - rows of cells
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
