"""The use cases of `artifacts audit`, on the adapters of a command."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from artifact_pipeline.domain.catalog.audit_findings import AuditFinding
from artifact_pipeline.domain.catalog.repair import RepairFindings
from artifact_pipeline.domain.model.operator_actions import action_reason
from artifact_pipeline.domain.model.requester import requester_name
from artifact_pipeline.worker.composition.operator import (
    request_publisher,
    source_check,
    this_user,
)
from artifact_pipeline.worker.settings import WorkspaceNameSettings, load
from artifact_pipeline.worker.sql.transfers.verifications import SqlVerifications

if TYPE_CHECKING:
    from artifact_pipeline.worker.composition.adapters import Adapters


class Pace:
    """Waits, so that a second has at most as many requests as allowed."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._free_at = time.monotonic()

    def __call__(self, requests: int) -> None:
        if self._per_second is None:
            return
        now = time.monotonic()
        self._free_at = max(now, self._free_at) + requests / self._per_second
        time.sleep(self._free_at - now)


def repair_findings(
    using: "Adapters", actor: str | None, reason: str | None
) -> Callable[[AuditFinding], AuditFinding]:
    """Return what repairs findings. Args: who repairs, by default this user, and why."""
    return RepairFindings(
        locate=using.locate,
        transfers=using.transfers,
        verifications=SqlVerifications(using.engine),
        tombstones=using.tombstones,
        trail=using.audit_trail,
        location=using.store.location,
        has_source=source_check(),
        workspace=load(WorkspaceNameSettings).workspace_name,
        publish=request_publisher(),
        actor=requester_name(actor) or this_user(),
        reason=action_reason(reason),
    )
