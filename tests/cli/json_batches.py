"""What `--json` of the commands of batches has."""

from typing import Any

from artifact_pipeline.domain.model.batches import BatchMode, BatchPriority, BatchState
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from tests.cli.json_types import Bytes, Count, Moment, Seconds, Shape


class BatchShape(Shape):
    batch: int
    state: BatchState
    by: str
    reason: str | None
    mode: BatchMode | None
    members: Count | None
    rate: float | None
    max_in_flight: int | None
    bytes_per_second: Bytes | None
    between: str | None
    timezone: str | None
    priority: BatchPriority
    requested_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    notify: str | None
    filter: dict[str, Any]


class ProgressShape(BatchShape):
    done: Count
    unchanged: Count
    failed: Count
    cancelled: Count
    already_running: Count
    active: Count
    pending: Count
    bytes: Bytes
    per_second: float | None
    left: Seconds | None
    continues_at: Moment | None


class GroupShape(Shape):
    direction: Direction
    kind: ArtifactKind
    state: TransferState | None
    members: Count
    stored: Count
    known_bytes: Bytes
    requests_at_least: Count
    requests_at_most: Count


class MemberShape(Shape):
    job_id: int
    run_id: int | None
    kind: ArtifactKind
    direction: Direction
    user_id: int
    outcome: str
    attempts: Count
    bytes_moved: Bytes | None
    reason: ReasonCode | None
    finished_at: Moment | None


class PreviewShape(Shape):
    snapshot: int | None
    expires_at: Moment
    filter: dict[str, Any]
    members: Count
    modes: dict[BatchMode, Count]
    groups: list[GroupShape]
    left_out: dict[str, Count]
    examples: list[MemberShape]
    requests_at_least: Count
    requests_at_most: Count
    seconds: Seconds | None
