"""The deployment: findings, workers, leases, settings, dead letters."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.model.transfers import Transfer
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.tasks.dead_letters import DeadLetter, dead_letters
from artifact_pipeline.tasks.publish import broker_channel
from artifact_pipeline.worker.diagnosis.examination import examine_deployment
from artifact_pipeline.worker.diagnosis.findings import Finding as DoctorsFinding
from artifact_pipeline.worker.sql.transfers.lists import running_transfers
from artifact_pipeline.worker.web.api.models.base import Missing, Part
from artifact_pipeline.worker.web.api.models.system import (
    Finding,
    FindingSeverity,
    Lease,
    System,
)
from artifact_pipeline.worker.web.reads.broker import CURRENT_SECONDS
from artifact_pipeline.worker.web.reads.overview import workers_of
from artifact_pipeline.worker.web.reads.settings import shown_settings
from artifact_pipeline.worker.web.shared_read import SharedRead
from artifact_pipeline.worker.web.sources import Sources
from artifact_pipeline.worker.web.threads import Threads

logger = logging.getLogger(__name__)

_SHOWN = 100
_FIRST_SECONDS = 3.0
_BROKER_SECONDS = 0.1
_EXAMINED_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class _Leases:
    """The claims. Attributes: `why` the database does not answer."""

    now: datetime | None = None
    transfers: tuple[Transfer, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Letters:
    """The dead letters.

    Attributes:
        why: the broker does not answer.
        is_awaited: it is being asked.
    """

    letters: tuple[DeadLetter, ...] | None = None
    why: str = ""
    is_awaited: bool = False


@dataclass(frozen=True, slots=True)
class _Examined:
    """The findings of an examination."""

    at: datetime
    findings: tuple[Finding, ...]


_NO_ANSWER = _Leases(why="the database has not answered yet")
_NOT_YET = _Letters(why="it is being asked", is_awaited=True)


class SystemService:
    """The deployment.

    Args:
        sources: what is read.
        threads: for the reads.
        examine: yields the findings of `artifacts doctor`.
    """

    def __init__(
        self,
        sources: Sources,
        threads: Threads,
        examine: Callable[[], Iterable[DoctorsFinding]] = examine_deployment,
    ) -> None:
        self._sources = sources
        self._examine = examine
        # An examination takes many seconds, and a broker that is away too.
        self._slow = Threads()
        self._leases = SharedRead(lambda: threads.run(self._read_leases))
        self._letters = SharedRead(
            lambda: self._slow.run(self._read_letters), usable_seconds=CURRENT_SECONDS
        )
        self._examined = SharedRead(
            lambda: self._slow.run(self._read_findings),
            fresh_seconds=_EXAMINED_SECONDS,
            usable_seconds=float("inf"),
        )

    async def get(self, *, with_findings: bool = True) -> System:
        """Return what is known. A part that does not answer is named in it, and no error.

        Args: `with_findings` begins an examination if the last one is some minutes old; its
            findings are in a later answer.
        """
        leases, letters, examined = await asyncio.gather(
            self._leases.get_within(_FIRST_SECONDS),
            self._letters.get_within(_BROKER_SECONDS),
            self._findings() if with_findings else _nothing(),
        )
        leases, letters = leases or _NO_ANSWER, letters or _NOT_YET
        workers = self._sources.watch.view().workers
        return System(
            at=leases.now or datetime.now(UTC),
            version=version("artifact-pipeline"),
            missing=list(_missing(leases, letters)),
            findings=None if examined is None else list(examined.findings),
            examined_at=None if examined is None else examined.at,
            is_examining=self._examined.is_reading,
            workers=workers_of(workers),
            leases=None if leases.now is None else [*_leases(leases.transfers, leases.now)],
            settings=shown_settings(self._sources.settings),
            dead_letters=None if letters.letters is None else list(letters.letters),
        )

    def close(self) -> None:
        """Begin nothing more."""
        self._slow.close()

    async def _findings(self) -> _Examined | None:
        return await self._examined.get_within(_BROKER_SECONDS) or self._examined.peek()

    def _read_leases(self) -> _Leases:
        try:
            now = self._sources.adapters.transfers.now()
            found = running_transfers(self._sources.engine, _SHOWN)
        except PipelineError as error:
            return _Leases(why=redact(str(error)))
        return _Leases(now, tuple(found))

    def _read_letters(self) -> _Letters:
        try:
            with broker_channel(self._sources.broker) as channel:
                return _Letters(tuple(dead_letters(channel, _SHOWN)))
        except PipelineError as error:
            return _Letters(why=redact(str(error)))

    def _read_findings(self) -> _Examined:
        findings = tuple(_finding(each) for each in self._examine())
        return _Examined(datetime.now(UTC), findings)


async def _nothing() -> None:
    return None


def _missing(leases: _Leases, letters: _Letters) -> Iterable[Missing]:
    if leases.now is None:
        yield Missing(part=Part.DATABASE, why=leases.why)
    if letters.letters is None:
        yield Missing(part=Part.BROKER, why=letters.why, is_awaited=letters.is_awaited)


def _leases(transfers: Iterable[Transfer], now: datetime) -> Iterable[Lease]:
    for each in transfers:
        expires = each.lease_expires_at
        yield Lease(
            transfer_id=each.id,
            job_id=each.artifact.job_id,
            run_id=each.artifact.run_id,
            kind=each.artifact.kind,
            owner=each.lease_owner,
            attempt=each.attempts,
            claimed_at=each.claimed_at,
            expires_at=expires,
            is_expired=expires is not None and expires <= now,
        )


def _finding(found: DoctorsFinding) -> Finding:
    return Finding(
        check=found.check,
        severity=FindingSeverity(found.severity.name.lower()),
        what=found.what,
        why=found.why,
        fix=found.fix,
    )
