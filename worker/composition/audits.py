"""What audits the store, for commands and for workers."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from artifact_pipeline.domain.catalog.abandoned import FindAbandoned
from artifact_pipeline.domain.catalog.audit import AuditStore
from artifact_pipeline.domain.maintenance.audit_in_pages import AuditInPages
from artifact_pipeline.domain.model.audit_cursor import AuditedPages
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.worker.composition.adapters import Adapters
from artifact_pipeline.worker.settings import WorkerSettings
from artifact_pipeline.worker.sql.audit import SqlAuditedRecords
from artifact_pipeline.worker.sql.audit_progress import SqlAuditProgress

ABANDONED_AFTER = timedelta(days=1)
"""By default: what no worker has continued for so long is abandoned."""


def audit_store(
    using: Adapters,
    *,
    abandoned_after: timedelta = ABANDONED_AFTER,
    pace: Callable[[int], None] = lambda _requests: None,
    inventory: Callable[[str], Iterator[BucketObject]] | None = None,
) -> AuditStore:
    """Return what audits the configured store. Args: as `AuditStore` and `FindAbandoned`."""
    records = SqlAuditedRecords(using.engine)
    return AuditStore(
        reader=using.reader,
        records=records,
        verify=using.verify,
        pace=pace,
        inventory=inventory,
        abandoned=FindAbandoned(
            store=using.store,
            transfers=using.transfers,
            records=records,
            placement=using.placement,
            bucket=using.reader.bucket,
            after=abandoned_after,
            pace=pace,
        ),
    )


def audit_pages(settings: WorkerSettings, using: Adapters) -> AuditedPages:
    """Continue the periodic audit by as many pages as the settings allow."""
    progress = SqlAuditProgress(using.engine)
    audit = AuditInPages(audit=audit_store(using), progress=progress, pages=settings.audit_pages)
    return audit()
