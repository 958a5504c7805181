"""The directory that artifacts are stored in, where that is no bucket."""

import os
from collections.abc import Iterator
from pathlib import Path

from artifact_pipeline.domain.errors import PipelineError
from artifact_pipeline.worker.diagnosis.findings import Finding, error, ok, warning
from artifact_pipeline.worker.file_store.probing import free_bytes, probe
from artifact_pipeline.worker.file_store.root import StoreRoot

_LEAST_FREE = 1 << 30


def reach_store(root: StoreRoot) -> None:
    """Write to the store as an upload does.

    Raises:
        StoreUnavailableError: it is away, no store, full, or read-only.
        AccessDeniedError: this user may not write to it.
        UnsupportedByStoreError: the file system lacks something that the store needs.
    """
    try:
        probe(root)
    except PipelineError as refused:
        raise type(refused)(f"ARTIFACTS_STORE={root.url}: {refused}") from None


def examine_store(root: StoreRoot) -> Iterator[Finding]:
    """Examine the directory: it is there, mounted, a store, writable, and has space."""
    try:
        probe(root)
    except PipelineError as refused:
        yield error(
            "store",
            f"{root.path}: {refused}",
            why="nothing can be stored, and artifacts may not be found",
            fix=f"ls -ld {root.path} {root.path}/.artifacts; findmnt --target {root.path}",
        )
        return
    mount = _mount_point(root.path)
    yield ok("store", f"{root.path} is writable, on the file system that is mounted at {mount}")
    yield _space(root)


def _space(root: StoreRoot) -> Finding:
    free = free_bytes(root) / _LEAST_FREE
    if free >= 1:
        return ok("store space", f"{free:.0f} GiB are free")
    return warning(
        "store space",
        f"{free:.2f} GiB are free",
        why="an upload of more will fail until there is space",
        fix=f"free some: du --max-depth 2 {root.path} | sort -n",
    )


def _mount_point(path: Path) -> Path:
    real = Path(os.path.realpath(path))
    return next(each for each in (real, *real.parents) if os.path.ismount(each))
