import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.file_store.steps import Shelf

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - no more than a quick disk for the tests


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    """A store on a file system without a disk, where there is one: `fsync` takes long on one."""
    place = _IN_MEMORY if _IN_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as directory:
        yield Shelf(Path(directory))


@pytest.fixture
def shelf_on_disk(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)
