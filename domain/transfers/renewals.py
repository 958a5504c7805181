"""Renewing all leases that a process holds in pages, on one thread."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Self

from artifact_pipeline.domain.errors import LeaseLostError
from artifact_pipeline.domain.model.transfers import Claim
from artifact_pipeline.domain.ports.transfer_pages import IUploadPages
from artifact_pipeline.domain.ports.transfers import ITransferRepository
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.domain.transfers.attempt import working_for
from artifact_pipeline.domain.transfers.lease import LeaseKeeper, renewal_interval

logger = logging.getLogger(__name__)


class SharedRenewals:
    """Renews the leases of several uploads by one statement, while there are any.

    Args:
        pages: where they are renewed.
        transfers: says why a claim is void.
        lease: of the claims.
        pause: between two renewals, in seconds.
    """

    def __init__(
        self,
        pages: IUploadPages,
        transfers: ITransferRepository,
        lease: timedelta,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._pages = pages
        self._transfers = transfers
        self._lease = lease
        self._pause = pause
        self._lock = threading.Lock()
        self._held: dict[int, SharedLease] = {}
        self._is_running = False

    def keeper(self, claim: Claim, claimed_at: float) -> "SharedLease":
        """Return the keeper of one of the leases. Args: as `LeaseKeeper`."""
        return SharedLease(self._transfers, claim, claimed_at, self)

    def add(self, lease: "SharedLease") -> None:
        with self._lock:
            self._held[lease.claim.transfer_id] = lease
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="renewals", daemon=True).start()

    def remove(self, lease: "SharedLease") -> None:
        with self._lock:
            self._held.pop(lease.claim.transfer_id, None)

    def _run(self) -> None:
        while True:
            self._pause(renewal_interval(self._lease))
            with self._lock:
                held = list(self._held.values())
                if not held:
                    self._is_running = False
                    return
            self._renew(held)

    def _renew(self, held: list["SharedLease"]) -> None:
        asked_at = time.monotonic()
        try:
            renewed = self._pages.renew([lease.claim for lease in held])
        except Exception as error:  # noqa: BLE001 - the leases must not lapse unnoticed
            message = redact(f"{type(error).__name__}: {error}")
            logger.warning("%d leases not renewed: %s", len(held), message)
            return
        for lease in held:
            if lease.claim.transfer_id in renewed:
                lease.renewed(asked_at)
            elif self._holds(lease):
                with working_for(lease.claim):
                    _renew_alone(lease)

    def _holds(self, lease: "SharedLease") -> bool:
        """Return whether the lease is still of use: its upload may have ended just now."""
        with self._lock:
            return self._held.get(lease.claim.transfer_id) is lease


class SharedLease(LeaseKeeper):
    """A keeper whose lease is renewed together with the others of its process."""

    def __init__(
        self,
        transfers: ITransferRepository,
        claim: Claim,
        claimed_at: float,
        renewals: SharedRenewals,
    ) -> None:
        super().__init__(transfers, claim, claimed_at)
        self._renewals = renewals

    def __enter__(self) -> Self:
        self._renewals.add(self)
        return self

    def __exit__(self, *_error: object) -> None:
        self._renewals.remove(self)


def _renew_alone(lease: SharedLease) -> None:
    """Find out why the claim is void: taken over or cancelled."""
    asked_at = time.monotonic()
    try:
        lease.renew()
    except LeaseLostError as error:
        lease.lose(error)
    except Exception as error:  # noqa: BLE001 - the next renewal tries it again
        message = redact(f"{type(error).__name__}: {error}")
        logger.warning("%s: lease not renewed: %s", lease.claim.artifact, message)
    else:
        lease.renewed(asked_at)
