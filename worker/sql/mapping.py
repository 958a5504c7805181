"""Rows as the domain's objects."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Claim, Direction, Transfer, TransferState
from artifact_pipeline.domain.reasons import reason_of


def artifact_of(row: Any) -> Artifact:  # noqa: ANN401 - a row
    """Return the artifact that a row of ours is about."""
    return Artifact(ArtifactKind(row.kind), row.job_id, row.run_id)


def as_claim(row: Row[Any], lease: timedelta) -> Claim:
    return Claim(
        transfer_id=row.id,
        artifact=artifact_of(row),
        direction=Direction(row.direction),
        owner=row.lease_owner,
        fence=row.fence,
        attempt=row.attempts,
        requested_at=row.requested_at,
        lease=lease,
        upload_id=row.upload_id,
        reason_code=reason_of(row.reason_code),
        is_forced=row.is_forced,
        is_deleted=row.is_deleted,
        claimed_at=row.claimed_at,
        batch_id=row.batch_id,
        trace_headers=row.trace_headers,
        request_id=row.request_id,
    )


def as_transfer(row: Row[Any]) -> Transfer:
    """Return the row's transfer. Raises: InvalidRequestError: another program wrote it wrongly."""
    try:
        return _as_transfer(row)
    except ValueError as error:
        raise InvalidRequestError(
            f"row {row.id} of transfers is invalid: {error}. Correct it, or delete it"
        ) from error


def readable(rows: Iterable[Row[Any]]) -> Iterator[Transfer]:
    """Yield the transfers of the rows that this version can read.

    A newer version may have kinds that this one does not know, and a list is to show the others.
    """
    for row in rows:
        with suppress(InvalidRequestError):
            yield as_transfer(row)


def _as_transfer(row: Row[Any]) -> Transfer:
    fields = row._asdict()
    artifact = Artifact(
        ArtifactKind(fields.pop("kind")), fields.pop("job_id"), fields.pop("run_id")
    )
    fields["direction"] = Direction(fields["direction"])
    fields["state"] = TransferState(fields["state"])
    fields["reason_code"] = reason_of(fields["reason_code"])
    return Transfer(artifact=artifact, **fields)
