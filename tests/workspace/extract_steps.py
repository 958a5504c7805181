"""Archives, and unpacking them, as the tests of the extraction share it."""

import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.workspace.archive_rules import ExtractLimits
from artifact_pipeline.worker.workspace.extract import Extracted, Extraction

RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
ARCHIVE = PurePosixPath("job_12/run_4_results.zip")
INTO = PurePosixPath("job_12/OUT/run_4")
Make = Callable[[zipfile.ZipFile], None]


def pack(root: Path, make: Make) -> Path:
    path = root / ARCHIVE
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        make(archive)
    return path


def files(**contents: str) -> Make:
    def make(archive: zipfile.ZipFile) -> None:
        for name, content in contents.items():
            archive.writestr(name.replace("__", "/"), content)

    return make


def extract(
    root: Path, *, replace: bool = False, encoding: str | None = None, **limits: int
) -> Extracted:
    extraction = Extraction(
        artifact=RESULTS,
        root=root,
        archive=ARCHIVE,
        into=INTO,
        limits=ExtractLimits(**limits),
        encoding=encoding,
    )
    return extraction(replace=replace)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def tree(root: Path) -> dict[str, str]:
    """Every file below the place, and none that is hidden left out."""
    into = root / INTO
    return {
        path.relative_to(into).as_posix(): path.read_text()
        for path in into.rglob("*")
        if path.is_file()
    }
