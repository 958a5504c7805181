"""Zips in the store: their members, and the bytes of one of them."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import accumulate
from threading import Lock

from artifact_pipeline.domain.errors import ArtifactMissingError, InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.web.api.models.content import Members, MembersQuery, ZipMember
from artifact_pipeline.worker.workspace.archive_rules import Entry
from artifact_pipeline.worker.workspace.entry_names import shown
from artifact_pipeline.worker.workspace.stored_zips import StoredZips

_KEPT = 4
_KEPT_SECONDS = 60.0
_LARGEST_KEPT = 50_000
"""Members of a zip whose list is kept."""
_PAGE_CHARACTERS = 128 * 1024
"""Of all names in a page of members: one name alone may have half of it."""


class ZipReads:
    """Reads zips by ranges, and keeps a few lists of members, so that a next page costs nothing.

    Args:
        zips: of the store.
        clock: in seconds.
    """

    def __init__(self, zips: StoredZips, clock: Callable[[], float] = time.monotonic) -> None:
        self._zips = zips
        self._clock = clock
        self._lists: OrderedDict[Artifact, tuple[float, list[ZipMember]]] = OrderedDict()
        self._lock = Lock()

    def members(self, artifact: Artifact, query: MembersQuery) -> Members:
        """Return a page of the members. Raises: as `StoredZips.opened`; InvalidRequestError."""
        listed = self._listed(artifact)
        wanted = query.contains.casefold()
        page = [
            each for each in listed if each.number > query.after and wanted in each.name.casefold()
        ]
        shown_ones = _that_fit(page[: query.limit])
        is_end = len(page) <= len(shown_ones)
        return Members(
            total=len(listed),
            members=shown_ones,
            next=None if is_end else shown_ones[-1].number,
        )

    def read(self, artifact: Artifact, name: str) -> Iterator[bytes | ZipMember]:
        """Yield the member, and then its bytes.

        Raises:
            ArtifactMissingError: the zip has no such file.
            UnsafeArchiveError: the bytes are not those that were packed.
        """
        _refuse_other_kinds(artifact)
        with self._zips.opened(artifact) as stored:
            for entry in stored.entries:
                if entry.name == name and not entry.is_directory:
                    yield _member(entry)
                    yield from stored.read(entry)
                    return
        raise ArtifactMissingError(f"{artifact}: the zip has no file {shown(name)}")

    def _listed(self, artifact: Artifact) -> list[ZipMember]:
        _refuse_other_kinds(artifact)
        with self._lock:
            until, known = self._lists.get(artifact, (0.0, []))
        if self._clock() < until:
            return known
        with self._zips.opened(artifact) as stored:
            listed = [_member(entry) for entry in stored.entries]
        if len(listed) <= _LARGEST_KEPT:
            self._keep(artifact, listed)
        return listed

    def _keep(self, artifact: Artifact, listed: list[ZipMember]) -> None:
        with self._lock:
            self._lists[artifact] = (self._clock() + _KEPT_SECONDS, listed)
            self._lists.move_to_end(artifact)
            while len(self._lists) > _KEPT:
                self._lists.popitem(last=False)


def _that_fit(members: list[ZipMember]) -> list[ZipMember]:
    """Return those whose names together are not too long for a page, and at least one."""
    lengths = accumulate(len(each.name) for each in members)
    fit = sum(1 for length in lengths if length <= _PAGE_CHARACTERS)
    return members[: max(1, fit)]


def _refuse_other_kinds(artifact: Artifact) -> None:
    if not artifact.kind.is_zip:
        raise InvalidRequestError(f"{artifact} is no zip, so it has no members")


def _member(entry: Entry) -> ZipMember:
    # A name that is no UTF-8 has surrogates, which no JSON may have.
    name = entry.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return ZipMember(
        number=entry.number,
        name=name,
        is_directory=entry.is_directory,
        size=entry.info.file_size,
        compressed_size=entry.info.compress_size,
        crc32=f"{entry.info.CRC:08x}",
    )
