"""Making workspaces, and looking into zips."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.ports.workspace import Source

RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 4)


def plant(directory: Path, files: Mapping[str, bytes | None]) -> None:
    """Write the files below the directory; None makes an empty directory."""
    for name, content in files.items():
        path = directory / name
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def link(path: Path, target: Path | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def all_of(source: Source) -> bytes:
    return b"".join(source.chunks())


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def descriptors() -> set[str]:
    """Those that this process has open."""
    return {path.name for path in Path("/dev/fd").iterdir()}
