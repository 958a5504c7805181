"""The orphans that an audit's report names."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from artifact_pipeline.domain.catalog.orphans import Orphan
from artifact_pipeline.domain.catalog.verdicts import Verdict
from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.keys import job_of
from artifact_pipeline.domain.model.objects import ObjectAddress


class ReportedOrphans:
    """The orphans of a report, read line by line each time.

    Args:
        path: of the report, as `artifacts audit --report` has written it.
        address_of: reads a location.
        bucket: the configured one.

    Raises:
        InvalidRequestError: it cannot be read, is not finished, or is of another store.
    """

    def __init__(self, path: Path, address_of: Callable[[str], ObjectAddress], bucket: str) -> None:
        self._path = path
        self._address_of = address_of
        self._bucket = bucket
        if path.with_name(f"{path.name}.progress").exists():
            raise InvalidRequestError(
                f"{path}: its audit has not ended. `artifacts audit --report {path}` continues it"
            )

    def __iter__(self) -> Iterator[Orphan]:
        try:
            with self._path.open(newline="", encoding="utf-8") as file:
                is_csv = self._path.suffix == ".csv"
                rows: Iterable[Any] = csv.DictReader(file) if is_csv else map(json.loads, file)
                for number, row in enumerate(rows, 1):
                    if self._outcome(number, row) == Verdict.ORPHANED:
                        yield self._orphan(number, row)
        except (OSError, UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise InvalidRequestError(f"{self._path}: cannot be read: {why}") from None

    def _outcome(self, number: int, row: Any) -> str:  # noqa: ANN401 - whatever the file holds
        if not isinstance(row, Mapping) or "outcome" not in row:
            raise InvalidRequestError(
                f"{self._path}: fault {number} has no outcome. Give a report that"
                " `artifacts audit --report FILE` has written"
            )
        return str(row["outcome"])

    def _orphan(self, number: int, row: Mapping[str, Any]) -> Orphan:
        try:
            location, job_id, size = str(row["location"]), int(row["job_id"]), int(row["size"])
            address = self._address_of(location)
        except (KeyError, ValueError, TypeError) as error:
            raise InvalidRequestError(f"{self._path}: fault {number}: {error}") from None
        is_of_job = job_of(address.key) == job_id and address.bucket == self._bucket
        # As it was written: another form of a location could name another object.
        if not is_of_job or address.url != location:
            raise InvalidRequestError(
                f"{self._path}: fault {number}: {location} is not in the directory of job"
                f" {job_id} in {self._bucket}"
            )
        return Orphan(address=address, job_id=job_id, size=size)
