"""What the tests of the store of files are written with."""

from pathlib import Path
from typing import Any, Self

from artifact_pipeline.domain.fakes import InMemorySource
from artifact_pipeline.domain.model.artifacts import StoredObject
from artifact_pipeline.domain.model.objects import ObjectAddress
from artifact_pipeline.domain.model.preconditions import replacing
from artifact_pipeline.worker.file_store.copying import FileObjectCopier
from artifact_pipeline.worker.file_store.reading import CONTENT_TYPE, FileObjectReader
from artifact_pipeline.worker.file_store.root import StoreRoot
from artifact_pipeline.worker.file_store.store import FileObjectStore
from tests.s3.steps import MIB, Progress

PART = 5 * MIB


def initialized(path: Path) -> StoreRoot:
    path.mkdir()
    root = StoreRoot(path)
    root.initialize()
    return root


def store_in(root: StoreRoot, part_size: int = PART) -> FileObjectStore:
    return FileObjectStore(root=root, part_size=part_size, resumable_from=part_size)


class Shelf:
    """A store, another one beside it, and a hand in both."""

    def __init__(self, directory: Path) -> None:
        self._use(initialized(directory / "store"), initialized(directory / "other"))

    @classmethod
    def at(cls, path: Path) -> Self:
        """Return the store that is there already, alone."""
        shelf = cls.__new__(cls)
        shelf._use(StoreRoot(path), StoreRoot(path))
        return shelf

    def _use(self, root: StoreRoot, other: StoreRoot) -> None:
        self.root, self.other = root, other
        self.store = store_in(self.root)
        self.reader = FileObjectReader(root=self.root, others=[self.other])
        self.copier = FileObjectCopier(store=self.store, reader=self.reader)

    def address(self, key: str) -> ObjectAddress:
        return ObjectAddress(self.reader.bucket, key)

    def put(self, address: ObjectAddress, body: bytes) -> StoredObject:
        return self.put_with(address, body, {"ContentType": "application/zip", "Metadata": {}})

    def put_with(
        self, address: ObjectAddress, body: bytes, described: dict[str, Any]
    ) -> StoredObject:
        root = self.reader.root_of(address)
        assert root is not None
        store, headers = store_in(root), dict(described)
        return store.write(
            address.key,
            InMemorySource(body, None),
            content_type=headers.pop("ContentType"),
            metadata=headers.pop("Metadata"),
            headers=headers,
            precondition=replacing(store.version(address.key)),
            progress=Progress(),
        )

    def body(self, key: str) -> bytes | None:
        """Return the bytes as another program reads them."""
        path = self.root.path / key
        return path.read_bytes() if path.exists() else None

    def headers(self, key: str) -> dict[str, Any]:
        found = self.reader.find(self.address(key))
        assert found is not None
        return dict(found.headers or {})

    def described(self, key: str) -> tuple[str, dict[str, str]]:
        found = self.reader.find(self.address(key))
        assert found is not None
        return self.headers(key)[CONTENT_TYPE], dict(found.metadata or {})

    def with_parts(self, part_size: int) -> FileObjectStore:
        """Return the same store, with parts of another size."""
        return store_in(self.root, part_size)

    def marks(self, upload_id: str) -> list[bytes]:
        """Return the SHA-256 of the parts of an upload that are on the disk."""
        content = (self.root.path / ".artifacts/uploads" / upload_id / "marks").read_bytes()
        return [content[at : at + 32] for at in range(0, len(content), 32)]

    def own_files(self) -> list[str]:
        """Return the paths of all files that are the store's own."""
        files = (path for path in self.root.path.rglob("*") if path.is_file())
        relative = (path.relative_to(self.root.path) for path in files)
        return sorted(path.as_posix() for path in relative if ".artifacts" in path.parts)
