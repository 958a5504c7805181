"""The root directory of a store."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.worker.file_store.layout import LOCKS, OWN, UPLOADS
from artifact_pipeline.worker.workspace.directories import DIRECTORY, opened_directory, reached
from artifact_pipeline.worker.workspace.naming import sync_directory
from artifact_pipeline.worker.workspace.partial_file import look

SCHEME = "file://"
_ROOT = PurePosixPath()


@dataclass(frozen=True, slots=True)
class StoreRoot:
    """A directory that `initialize` has made a store, once.

    A mount point whose share is away has no directory of the store's own, so that nothing is
    written below it, and no artifact counts as missing.
    """

    path: Path

    @property
    def url(self) -> str:
        return f"{SCHEME}{quote(str(self.path))}"

    def url_of(self, key: str) -> str:
        """Return the URL of an object."""
        return f"{self.url}/{quote(key)}"

    @contextmanager
    def opened(self) -> Iterator[int]:
        """Open the root. Raises: StoreUnavailableError: it is not there, or no store."""
        with self.reached(_ROOT, make=False) as descriptor:
            assert descriptor is not None  # noqa: S101 - the root itself
            yield descriptor

    @contextmanager
    def reached(self, directory: PurePosixPath, *, make: bool) -> Iterator[int | None]:
        """Open a directory of the store, without following a link below the root.

        Args:
            directory: relative to the root.
            make: what is missing; without, None stands for a missing directory.

        Raises:
            StoreUnavailableError: the root is not there, or no store.
        """
        opened: list[int] = []

        def check(root: int) -> None:
            opened.append(root)
            check_store(root)

        with ExitStack() as stack:
            try:
                found = reached(self.path, directory, make=make, check=check)
                descriptor = stack.enter_context(found)
            except OSError as error:
                if opened:
                    raise
                raise StoreUnavailableError(
                    f"ARTIFACTS_STORE: its directory: {error.strerror}. Mount it"
                ) from None
            yield descriptor

    def initialize(self) -> bool:
        """Make the directory a store; return False if it was one.

        Raises:
            OSError: it cannot be written.
        """
        root = os.open(self.path, DIRECTORY)
        try:
            is_new = look(OWN, root) is None
            for place in (PurePosixPath(OWN), UPLOADS, LOCKS):
                with suppress(FileExistsError):
                    os.mkdir(place, dir_fd=root)
            with opened_directory(OWN, root) as own:
                sync_directory(own)
            sync_directory(root)
        finally:
            os.close(root)
        return is_new


def check_store(root: int) -> None:
    """Refuse an opened root that is no store. Raises: StoreUnavailableError."""
    if look(OWN, root) is None:
        raise StoreUnavailableError(
            f"ARTIFACTS_STORE: it has no directory {OWN}, so it is no store, or its share is not"
            " mounted. Mount it, or run `artifacts store init` once"
        )
