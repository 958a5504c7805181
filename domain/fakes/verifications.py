"""Transfers whose writes are not verified yet, in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from artifact_pipeline.domain.errors import ObjectReplacedError
from artifact_pipeline.domain.fakes.artifacts import InMemoryArtifacts
from artifact_pipeline.domain.fakes.transfers import InMemoryTransfers
from artifact_pipeline.domain.model.artifacts import StoredArtifact
from artifact_pipeline.domain.model.locations import UploadLocation
from artifact_pipeline.domain.model.transfers import Direction, Transfer


class InMemoryVerifications:
    def __init__(self, transfers: InMemoryTransfers, artifacts: InMemoryArtifacts) -> None:
        self._transfers = transfers
        self._artifacts = artifacts

    def unverified(
        self, direction: Direction, until: datetime, *, after: int, limit: int
    ) -> Sequence[Transfer]:
        rows = self._transfers.rows.values()
        busy = {
            row.artifact
            for row in rows
            if row.state.is_active and row.direction is not Direction.DOWNLOAD
        }
        return [
            row
            for row in rows
            if row.direction is direction
            and row.id > after
            and row.artifact not in busy
            and row.unverified_since is not None
            and _has_settled(row, until)
        ][:limit]

    def verified(self, transfer: Transfer, until: datetime) -> None:
        row = self._transfers.rows[transfer.id]
        self._transfers.rows[transfer.id] = replace(row, verified_to=until)

    def record_found(
        self,
        stored: StoredArtifact,
        location: UploadLocation,
        known: StoredArtifact | None,
        last: Transfer | None,
    ) -> None:
        now = self._transfers.latest(stored.artifact, Direction.UPLOAD)
        if _version(now) != _version(last):
            raise ObjectReplacedError(f"{stored.artifact}: another upload was requested since")
        self._artifacts.refuse_replaced(stored)
        if not self._artifacts.replace(stored, known):
            raise ObjectReplacedError(f"{stored.artifact}: another object was recorded since")
        self._artifacts.update_platform(stored, location)


def _version(transfer: Transfer | None) -> object:
    return None if transfer is None else (transfer.id, transfer.state, transfer.fence)


def _has_settled(row: Transfer, until: datetime) -> bool:
    return all(moment <= until for moment in (row.finished_at, row.doubted_at) if moment)
