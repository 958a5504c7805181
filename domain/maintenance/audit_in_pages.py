"""The periodic audit: a few pages each time, until the whole store was compared."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from artifact_pipeline.domain.catalog.audit import AuditStore
from artifact_pipeline.domain.catalog.audit_findings import AuditFinding
from artifact_pipeline.domain.model.audit_cursor import AuditedPages
from artifact_pipeline.domain.ports.audit import IAuditProgress

logger = logging.getLogger(__name__)

PAUSE = timedelta(days=1)
"""From the begin of a complete audit to that of the next: each costs requests to the store."""
_LEASE = timedelta(hours=1)
"""For how long a page may take. A worker that died delays the audit by as much."""
_LOGGED = 100
"""Faults of a page that have a line each in the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditInPages:
    """Continues the audit that is under way, or begins another one when it is time.

    Attributes: `pages` are the most that one call looks at.
    """

    audit: AuditStore
    progress: IAuditProgress
    pages: int

    def __call__(self) -> AuditedPages:
        """Return what was looked at: nothing while another worker is at it, or before it is time.

        Raises:
            StoreUnavailableError, SqlUnavailableError: it does not answer; the next run continues.
        """
        claim = self.progress.begin(_LEASE, PAUSE)
        if claim is None:
            return AuditedPages()
        before, faults = claim.cursor.looked_at, 0
        try:
            for number, findings in enumerate(self.audit(claim.cursor), 1):
                _log(findings)
                faults += len(findings)
                if not self.progress.keep(claim, _LEASE) or number == self.pages:
                    break
            else:
                self.progress.finish(claim)
        finally:
            # Nothing to do where it is complete, or another worker has it by now.
            self.progress.release(claim)
        looked_at = claim.cursor.looked_at
        grown = {name: looked_at[name] - before[name] for name in looked_at}
        return replace(AuditedPages(**grown), faults=faults)


def _log(findings: Sequence[AuditFinding]) -> None:
    for finding in findings[:_LOGGED]:
        verified = finding.verified
        what = verified.artifact or verified.address.key
        logger.warning("audit: %s: %s: %s", what, verified.verdict, verified.error)
    if len(findings) > _LOGGED:
        logger.warning("audit: and %d more faults", len(findings) - _LOGGED)
