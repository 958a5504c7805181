"""Objects of a store of files, which keeps one version of each: `IObjectVersions`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from artifact_pipeline.domain.errors import UnsupportedByStoreError
from artifact_pipeline.domain.model.object_versions import ObjectVersion
from artifact_pipeline.worker.file_store.copying import FileObjectCopier
from artifact_pipeline.worker.file_store.reading import FileObjectReader


@dataclass(frozen=True, slots=True, kw_only=True)
class FileObjectVersions:
    reader: FileObjectReader
    copier: FileObjectCopier

    def all(self, prefix: str) -> Iterator[ObjectVersion]:
        for there in self.reader.list(prefix):
            yield ObjectVersion(address=there.address, size=there.size)

    def delete(self, versions: Sequence[ObjectVersion]) -> dict[ObjectVersion, str]:
        refused = self.copier.delete([version.address for version in versions])
        return {each: refused[each.address] for each in versions if each.address in refused}

    def has_lock(self) -> bool:
        return False

    def set_legal_hold(self, version: ObjectVersion, *, on: bool) -> None:
        """Refuse. Raises: UnsupportedByStoreError: a directory has no locks."""
        raise UnsupportedByStoreError(
            f"{version.address.key}: legal hold {'on' if on else 'off'}: ARTIFACTS_STORE is a"
            " directory, which has no locks. Protect it by the means of the file system"
        )
