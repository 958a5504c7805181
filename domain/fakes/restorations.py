"""Restores of archived objects, in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.domain.fakes.artifacts import InMemoryArtifacts
from artifact_pipeline.domain.fakes.objects import InMemoryReader
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.objects import BucketObject, ObjectAddress
from artifact_pipeline.domain.model.restorations import Restoration, RestoreSpeed


@dataclass(slots=True)
class InMemoryRestorer:
    """Restores what `complete` says is restored.

    Attributes:
        asked: every restore that was asked for.
        refused: what asking for an object raises.
    """

    reader: InMemoryReader
    artifacts: InMemoryArtifacts
    asked: list[tuple[str, int, RestoreSpeed]] = field(default_factory=list)
    refused: dict[ObjectAddress, PipelineError] = field(default_factory=dict)
    _days: dict[ObjectAddress, int] = field(default_factory=dict)

    def check_supported(self) -> None:
        """Accept: it has tiers."""

    def restore(self, there: BucketObject, *, days: int, speed: RestoreSpeed) -> None:
        if there.address in self.refused:
            raise self.refused[there.address]
        self.asked.append((there.address.key, days, speed))
        known = self.reader.restorations.get(there.address)
        if known is not None and known.is_under_way:
            return
        self._days[there.address] = days
        self.reader.restorations[there.address] = Restoration(is_under_way=True)
        if known is not None and known.until is not None:
            self.complete(there.address)

    def complete(self, address: ObjectAddress) -> None:
        """End the restore of the object."""
        until = self.artifacts.clock() + timedelta(days=self._days[address])
        self.reader.restorations[address] = Restoration(until=until)


class InMemoryRestorations:
    def __init__(self, artifacts: InMemoryArtifacts) -> None:
        self._artifacts = artifacts
        self._rows: dict[Artifact, tuple[str, str, Restoration]] = {}

    def of_job(self, job_id: int) -> Mapping[Artifact, Restoration]:
        return {
            row.artifact: self._rows[row.artifact][2]
            for row in self._artifacts.of_job(job_id)
            if self._is_of(row.artifact, row.object.key, row.object.version)
        }

    def record(self, artifact: Artifact, there: BucketObject, now: Restoration) -> bool:
        row = self._artifacts.find(artifact)
        place = (there.address.key, there.version)
        if row is None or (row.object.key, row.object.version) != place:
            return False
        self._rows[artifact] = (*place, now)
        return True

    def _is_of(self, artifact: Artifact, key: str, version: str) -> bool:
        kept = self._rows.get(artifact)
        return kept is not None and kept[:2] == (key, version) and kept[2].is_known
