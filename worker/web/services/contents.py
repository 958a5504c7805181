"""The bytes of artifacts: downloads, previews, members of zips; and what the store has of a job."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from itertools import chain
from typing import TypeVar

from artifact_pipeline.domain.catalog.inventory import ListedArtifact, list_artifacts
from artifact_pipeline.domain.errors import StoreUnavailableError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.found_artifacts import FoundArtifact
from artifact_pipeline.domain.model.keys import file_name
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.domain.transfers.read import ResumedReads
from artifact_pipeline.domain.transfers.retry import Backoff
from artifact_pipeline.worker.web.api.models.content import (
    Download,
    ListedObject,
    Listing,
    Members,
    MembersQuery,
    Preview,
    ZipMember,
)
from artifact_pipeline.worker.web.reads.texts import as_text
from artifact_pipeline.worker.web.reads.zips import ZipReads
from artifact_pipeline.worker.web.sources import Sources
from artifact_pipeline.worker.web.threads import Threads
from artifact_pipeline.worker.workspace.stored_zips import StoredZips

_URL_SECONDS = 300
"""How long a presigned URL is valid: to begin a download, which may then take longer."""
_ANSWER_SECONDS = 10.0
_TRIES = 2
_BACKOFF = Backoff(timedelta(milliseconds=100), timedelta(milliseconds=500))

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Content:
    """A file that is being read. `chunks` raise PipelineError if reading it fails on the way."""

    name: str
    size: int
    chunks: Iterator[bytes]


class Contents:
    """What is in the store. A store that does not answer fails each call in ten seconds."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        # Their own: a slow store must not keep answers from SQL waiting.
        self._threads = Threads()

    async def download(self, artifact: Artifact) -> Download:
        """Return a URL of the artifact: presigned by the store, or a path below the API's root.

        Raises:
            ArtifactMissingError, UnknownJobError: it is nowhere.
            TransientError, PermanentError: as the store answers.
        """
        return await self._ask(self._download, artifact)

    async def content(self, artifact: Artifact) -> Content:
        """Return the artifact's bytes. Raises: as `download`."""
        return await self._ask(self._content, artifact)

    async def preview(self, artifact: Artifact, limit: int) -> Preview:
        """Return the artifact's first bytes as text. Raises: as `download`."""
        return await self._ask(self._preview, artifact, limit)

    async def members(self, artifact: Artifact, query: MembersQuery) -> Members:
        """Return a page of a zip's members.

        Raises:
            InvalidRequestError: the artifact is no zip.
            UnsafeArchiveError: the zip is broken, or would do harm.
            TransientError, PermanentError: as the store answers.
        """
        return await self._ask(self._zips.members, artifact, query)

    async def member(self, artifact: Artifact, name: str) -> Content:
        """Return a member's bytes. Raises: as `members`; ArtifactMissingError."""
        return await self._ask(self._member, artifact, name)

    async def member_preview(self, artifact: Artifact, name: str, limit: int) -> Preview:
        """Return a member's first bytes as text. Raises: as `member`."""
        return await self._ask(self._member_preview, artifact, name, limit)

    async def listing(self, job_id: int) -> Listing:
        """Return what the store has of a job. Raises: UnknownJobError, TransientError."""
        return await self._ask(self._listing, job_id)

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.close()

    async def _ask(self, call: Callable[..., T], *args: object) -> T:
        try:
            return await asyncio.wait_for(self._threads.run(call, *args), _ANSWER_SECONDS)
        except TimeoutError:
            raise StoreUnavailableError(
                f"the store has not answered within {_ANSWER_SECONDS:g} s"
            ) from None

    @cached_property
    def _reads(self) -> ResumedReads:
        reader = self._sources.adapters.reader
        return ResumedReads(reader=reader, tries=_TRIES, backoff=_BACKOFF)

    @cached_property
    def _zips(self) -> ZipReads:
        return ZipReads(StoredZips(locate=self._sources.adapters.locate, reads=self._reads))

    def _download(self, artifact: Artifact) -> Download:
        using = self._sources.adapters
        existing = using.locate.find(artifact).object
        if self._sources.settings.store:
            run = "" if artifact.run_id is None else f"?run_id={artifact.run_id}"
            path = f"/jobs/{artifact.job_id}/artifacts/{artifact.kind}/content{run}"
            return Download(url=path, size=existing.size)
        url = existing.address.url
        signed = using.results.get_download_url(url, expiration_seconds=_URL_SECONDS)
        return Download(
            url=signed.url,
            expires_in=_URL_SECONDS,
            size=existing.size,
            must_be_restored=existing.tier.must_be_restored,
        )

    def _content(self, artifact: Artifact, limit: int | None = None) -> Content:
        def read(found: FoundArtifact) -> Content:
            source = found.object
            stop = source.size if limit is None else min(source.size, limit)
            return _begun(file_name(artifact), source.size, self._reads(source, 0, stop))

        return self._sources.adapters.locate.first(artifact, read)

    def _preview(self, artifact: Artifact, limit: int) -> Preview:
        return _preview(self._content(artifact, limit), limit)

    def _member(self, artifact: Artifact, name: str) -> Content:
        parts = self._zips.read(artifact, name)
        member = next(parts)
        assert isinstance(member, ZipMember)  # noqa: S101 - the first one is
        chunks = (part for part in parts if isinstance(part, bytes))
        return _begun(member.name.rpartition("/")[2], member.size, chunks)

    def _member_preview(self, artifact: Artifact, name: str, limit: int) -> Preview:
        return _preview(self._member(artifact, name), limit)

    def _listing(self, job_id: int) -> Listing:
        using = self._sources.adapters
        found = list_artifacts(using.locate, using.transfers, job_id)
        return Listing(at=using.transfers.now(), objects=list(map(_listed, found)))


def _begun(name: str, size: int, chunks: Iterator[bytes]) -> Content:
    """Ask the store now: what fails must fail before the answer begins."""
    first = next(chunks, b"")
    return Content(name, size, chain((first,), chunks))


def _preview(content: Content, limit: int) -> Preview:
    data = b""
    for chunk in content.chunks:
        data += chunk
        if len(data) >= limit:
            break
    data = data[:limit]
    is_cut = len(data) < content.size
    text = as_text(data, is_cut=is_cut)
    return Preview(
        name=content.name,
        size=content.size,
        text=text,
        is_binary=text is None,
        is_cut=is_cut,
    )


def _listed(listed: ListedArtifact) -> ListedObject:
    found, look = listed.found, listed.unreadable
    existing = None if found is None else found.object
    address = existing.address if existing else look and look.address
    return ListedObject(
        kind=listed.artifact.kind,
        run_id=listed.artifact.run_id,
        state=listed.state,
        reason=listed.reason,
        scheme=found and found.scheme,
        size=existing and existing.size,
        modified_at=existing and existing.modified_at,
        storage_class=existing and existing.tier_name,
        location=address and address.url,
        error=look and redact(str(look.error)),
    )
