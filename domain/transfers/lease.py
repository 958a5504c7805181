"""Keeping a claim alive while its bytes move."""

import logging
import threading
import time
from contextvars import copy_context
from datetime import timedelta
from typing import Self

from artifact_pipeline.domain.errors import LeaseLostError
from artifact_pipeline.domain.model.transfers import Claim
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from artifact_pipeline.domain.redaction import redact

logger = logging.getLogger(__name__)

_JOIN_SECONDS = 5
# A holder also learns by a renewal that its transfer was cancelled.
_LONGEST_INTERVAL_SECONDS = 5.0


class LeaseKeeper:
    """Renews the lease every third of its time, or every five seconds, on a separate thread.

    A renewal that fails for another reason than a risen fence is tried again; when the lease has
    run out by this worker's own clock, it counts as lost, because another worker may have it.

    Args:
        transfers: where it is renewed.
        claim: what is renewed.
        claimed_at: of `time.monotonic()` before the claim was asked for; by default now.
    """

    def __init__(
        self, transfers: ITransferRepository, claim: Claim, claimed_at: float | None = None
    ) -> None:
        self._transfers = transfers
        self._claim = claim
        self._upload_id = claim.upload_id
        self._lost: LeaseLostError | None = None
        since = time.monotonic() if claimed_at is None else claimed_at
        self._expires = since + claim.lease.total_seconds()

    def __enter__(self) -> Self:
        # Not before: most keepers share one thread, and making another costs a third of a record.
        self._ended = threading.Event()
        # Its lines in the log are of the attempt as well.
        context = copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._renew_until_ended,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        # A renewal that hangs must not keep a worker that is done; the thread is a daemon.
        self._thread.join(_JOIN_SECONDS)

    @property
    def claim(self) -> Claim:
        return self._claim

    @property
    def upload_id(self) -> str | None:
        return self._upload_id

    def started(self, upload_id: str) -> None:
        self._transfers.keep_upload_id(self._claim, upload_id)
        self._upload_id = upload_id

    def renew(self) -> None:
        """Renew the lease now. Raises: LeaseLostError if the claim is void."""
        self._transfers.renew(self._claim)

    def checkpoint(self) -> None:
        if self._lost is not None:
            raise self._lost
        # Check the clock too, because a renewal can hang instead of failing.
        if time.monotonic() > self._expires:
            raise LeaseLostError

    def renewed(self, asked_at: float) -> None:
        """Take the lease for renewed by a request that was made at this `time.monotonic()`."""
        self._expires = asked_at + self._claim.lease.total_seconds()

    def lose(self, error: LeaseLostError) -> None:
        """Raise the error at the next checkpoint."""
        self._lost = error

    def _renew_until_ended(self) -> None:
        interval = renewal_interval(self._claim.lease)
        while not self._ended.wait(interval):
            asked_at = time.monotonic()
            try:
                self._transfers.renew(self._claim)
                self.renewed(asked_at)
            except LeaseLostError as error:
                self.lose(error)
                return
            except Exception as error:  # noqa: BLE001 - the lease must not lapse unnoticed
                message = redact(f"{type(error).__name__}: {error}")
                logger.warning("%s: lease not renewed: %s", self._claim.artifact, message)
                if time.monotonic() > self._expires:
                    return


def renewal_interval(lease: timedelta) -> float:
    """Return how many seconds to leave between two renewals of a lease."""
    return min(lease.total_seconds() / 3, _LONGEST_INTERVAL_SECONDS)
