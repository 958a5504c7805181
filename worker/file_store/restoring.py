"""Restoring from an archive, which a store of files does not have: `IObjectRestorer`."""

from typing import Never

from artifact_pipeline.domain.errors import UnsupportedByStoreError
from artifact_pipeline.domain.model.objects import BucketObject
from artifact_pipeline.domain.model.restorations import RestoreSpeed


class FileObjectRestorer:
    def check_supported(self) -> Never:
        raise UnsupportedByStoreError(
            "ARTIFACTS_STORE is a directory, which has no archive tiers, so nothing needs to be "
            "restored. Read its files as they are"
        )

    def restore(self, there: BucketObject, *, days: int, speed: RestoreSpeed) -> Never:  # noqa: ARG002 - as the port has it
        self.check_supported()
