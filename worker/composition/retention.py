"""What applies retention rules, in commands and in workers, and the prices of their previews."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from socket import gethostname

from artifact_pipeline.domain.errors import ConfigurationError, InvalidRequestError
from artifact_pipeline.domain.maintenance.retention import ApplyRetention
from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.prices import PriceTable, price_table
from artifact_pipeline.domain.model.retention_results import RetentionResult
from artifact_pipeline.domain.platform.archiving import archive_job_uploads
from artifact_pipeline.domain.ports.platform import ArchiveSummary
from artifact_pipeline.worker.composition.adapters import Adapters
from artifact_pipeline.worker.composition.repositories import Database
from artifact_pipeline.worker.s3.prices import LIST_PRICES
from artifact_pipeline.worker.s3.tiers import ARCHIVES
from artifact_pipeline.worker.settings import RetentionSettings, WorkerSettings
from artifact_pipeline.worker.sql.retention import SqlDueArtifacts
from artifact_pipeline.worker.sql.retention_rules import SqlRetentionRules

_LARGEST_FILE = 1_000_000
"""Bytes of a file with prices: a larger one is something else."""


def due_artifacts(database: Database) -> SqlDueArtifacts:
    """Return what finds the artifacts that are due."""
    return SqlDueArtifacts(database.engine, ARCHIVES)


def apply_retention(adapters: Adapters) -> ApplyRetention:
    """Return what archives and deletes by the rules."""
    return ApplyRetention(
        rules=SqlRetentionRules(adapters.engine),
        due=due_artifacts(adapters),
        delete=adapters.delete,
        archive=_Archive(adapters),
    )


class _Archive:
    def __init__(self, adapters: Adapters) -> None:
        self._adapters = adapters

    def __call__(
        self, job_id: int, expected: Mapping[Artifact, StoredArtifact], tier_name: str
    ) -> ArchiveSummary:
        using = self._adapters
        _ = using.copier.archive_tier  # a store without tiers refuses it here
        return archive_job_uploads(
            using.locate,
            using.upload_locations,
            using.artifacts,
            job_id=job_id,
            kinds=list(ArtifactKind),
            storage_class=tier_name,
            holds=using.legal_holds,
            expected=expected,
        )


def apply_next_page(settings: WorkerSettings, adapters: Adapters) -> RetentionResult:
    """Archive and delete the next page, if ARTIFACTS_RETENTION is on."""
    if not settings.retention:
        return RetentionResult()
    apply = apply_retention(adapters)
    return apply.next_page(adapters.audit_trail, f"retention@{gethostname()}")


def read_prices(settings: RetentionSettings) -> PriceTable:
    """Return the prices of the file that the setting names; without one, the default prices.

    Raises:
        ConfigurationError: the file cannot be read, or names no prices.
    """
    path = settings.retention_prices
    if path is None:
        return LIST_PRICES
    try:
        return price_table(_parsed(path), LIST_PRICES)
    except (OSError, ValueError, RecursionError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        kind = "" if isinstance(error, OSError | InvalidRequestError) else "not TOML or JSON: "
        raise ConfigurationError(f"ARTIFACTS_RETENTION_PRICES={path}: {kind}{said}") from None


def _parsed(path: Path) -> object:
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise InvalidRequestError(f"it has more than {_LARGEST_FILE:,} bytes: give a price table")
    text = content.decode()
    return json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
