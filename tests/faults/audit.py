"""What must be true in the end, read from S3, SQL and the broker themselves."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select

from artifact_pipeline.domain.model.artifact_events import EventType
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.worker.sql.event_outbox import SqlEventOutbox
from artifact_pipeline.worker.sql.tables import ArtifactRow, TransferRow
from tests.faults.fleet import BUCKET, Fleet
from tests.faults.load import Wanted

_THREADS = 4


class Wrong(StrEnum):
    """How a finding breaks the promise."""

    LOST = "lost"
    MISPLACED = "misplaced"
    CORRUPT = "corrupt"
    DOUBLE = "double"
    LEFT_OVER = "left over"


@dataclass(frozen=True)
class Finding:
    wrong: Wrong
    what: str


@dataclass(frozen=True)
class _Found:
    is_right: bool
    size: int
    sha256: str


def findings(fleet: Fleet, wanted: Sequence[Wanted]) -> list[Finding]:
    """Return what is wrong; an empty list says that nothing is."""
    expected = {one.key: one for one in wanted}
    found = _look_at_bucket(fleet, expected)
    return [
        *_wrong_in_bucket(found, expected),
        *_wrong_in_artifacts(fleet, found),
        *_wrong_in_transfers(fleet, len(expected)),
        *_open_uploads(fleet),
        *_left_in_broker(fleet),
        *_wrong_in_events(fleet),
    ]


def _look_at_bucket(fleet: Fleet, expected: Mapping[str, Wanted]) -> dict[str, _Found]:
    client = fleet.client
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]

    def look(key: str) -> _Found:
        body = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        is_right = key in expected and expected[key].is_stored_as(body)
        return _Found(is_right, len(body), hashlib.sha256(body).hexdigest())

    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip(keys, pool.map(look, keys), strict=True))


def _wrong_in_bucket(
    found: Mapping[str, _Found], expected: Mapping[str, Wanted]
) -> Iterator[Finding]:
    yield from (Finding(Wrong.LOST, key) for key in expected.keys() - found.keys())
    yield from (
        Finding(Wrong.MISPLACED, f"requested by no one: {key}")
        for key in found.keys() - expected.keys()
    )
    for key in expected.keys() & found.keys():
        if not found[key].is_right:
            yield Finding(Wrong.CORRUPT, key)


def _wrong_in_artifacts(fleet: Fleet, found: Mapping[str, _Found]) -> Iterator[Finding]:
    statement = select(ArtifactRow.key, ArtifactRow.size, ArtifactRow.sha256)
    with fleet.engine.connect() as connection:
        rows = connection.execute(statement).all()
    recorded = Counter(row.key for row in rows)
    yield from (
        Finding(Wrong.DOUBLE, f"recorded {count} times: {key}")
        for key, count in recorded.items()
        if count > 1
    )
    yield from (
        Finding(Wrong.LOST, f"not recorded: {key}") for key in found.keys() - recorded.keys()
    )
    for row in rows:
        existing = found.get(row.key)
        if existing is None or (existing.size, existing.sha256) != (row.size, row.sha256):
            yield Finding(Wrong.CORRUPT, f"recorded wrongly: {row.key}")


def _wrong_in_transfers(fleet: Fleet, asked: int) -> Iterator[Finding]:
    statement = select(TransferRow.state, func.count()).group_by(TransferRow.state)
    held = select(func.count()).where(TransferRow.lease_owner.is_not(None))
    with fleet.engine.connect() as connection:
        states = {row[0]: row[1] for row in connection.execute(statement)}
        leases = connection.scalar(held)
    if states != {TransferState.DONE.value: asked}:
        yield Finding(Wrong.LOST, f"of {asked} transfers: {states}")
    if leases:
        yield Finding(Wrong.LEFT_OVER, f"{leases} leases are held")


def _open_uploads(fleet: Fleet) -> Iterator[Finding]:
    yield from (Finding(Wrong.LEFT_OVER, f"open upload: {key}") for key in open_uploads(fleet))


def open_uploads(fleet: Fleet) -> list[str]:
    """The keys of multipart uploads that were neither completed nor aborted."""
    pages = fleet.client.get_paginator("list_multipart_uploads").paginate(Bucket=BUCKET)
    return [upload["Key"] for page in pages for upload in page.get("Uploads", [])]


def _wrong_in_events(fleet: Fleet) -> Iterator[Finding]:
    """Compare what the receiver of webhooks has taken with what is recorded."""
    for backlog in SqlEventOutbox(fleet.engine).backlog():
        waiting = f"{backlog.waiting} events wait, {backlog.refused} were refused"
        yield Finding(Wrong.LOST, waiting)
    receiver = fleet.receiver
    stored = [each for each in receiver.events.values() if each.type == EventType.ARTIFACT_STORED]
    told = Counter(each.transfer_id for each in stored)
    done = select(TransferRow.id).where(TransferRow.state == TransferState.DONE)
    with fleet.engine.connect() as connection:
        ended = set(connection.scalars(done))
    yield from (Finding(Wrong.LOST, f"no event: transfer {each}") for each in ended - told.keys())
    yield from (
        Finding(Wrong.CORRUPT, f"an event, but not done: transfer {each}")
        for each in told.keys() - ended
    )
    yield from (
        Finding(Wrong.DOUBLE, f"transfer {each}: {n} events") for each, n in told.items() if n > 1
    )
    yield from (
        Finding(Wrong.CORRUPT, f"event {each}: another content") for each in receiver.changed
    )


def _left_in_broker(fleet: Fleet) -> Iterator[Finding]:
    for queue, count in fleet.broker.messages().items():
        if count:
            yield Finding(Wrong.LEFT_OVER, f"{count} messages in {queue}")
