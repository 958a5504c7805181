"""Uploads that began and that nothing will finish."""

from datetime import datetime, timedelta

from artifact_pipeline.domain.model.artifacts import OpenUpload
from artifact_pipeline.domain.model.transfers import Transfer, TransferState


def is_abandoned(
    upload: OpenUpload, owner: Transfer | None, now: datetime, after: timedelta
) -> bool:
    """Return whether no transfer will continue an unfinished upload in the store.

    An operator may yet fix the cause of a quarantined transfer, and an upload is known to the store
    a moment before it is to SQL, so both are abandoned only after a time.

    Args:
        upload: as the store lists it.
        owner: the transfer that knows it as its own, if there is one.
        now: by the database's clock.
        after: how long.
    """
    # Compute each age by one clock: the store's for what only the store knows, the database's for a
    # transfer.
    if owner is None:
        return upload.age >= after
    if owner.state is TransferState.QUARANTINED:
        return owner.finished_at is not None and now - owner.finished_at >= after
    return not owner.state.is_active
