"""The bytes of artifacts: downloads, members of zips, previews, and what the store has."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from artifact_pipeline.domain.catalog.inventory import ArtifactState
from artifact_pipeline.domain.model.artifacts import Scheme
from artifact_pipeline.domain.model.bounded import Id, Position
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.worker.web.api.models.base import Answer, Request
from artifact_pipeline.worker.web.api.models.jobs import Limit

MAX_PREVIEW = 256 * 1024
MemberName = Annotated[str, Field(min_length=1, max_length=4096)]


class ArtifactQuery(Request):
    """Which artifact of the job; one of a run needs `run_id`."""

    run_id: Id | None = None


class Download(Answer):
    """Where an artifact can be downloaded from.

    Attributes:
        url: a presigned URL of the store, which is valid for a short time, for everyone who has
            it; with a store of files a path of this server.
        expires_in: seconds; null for a path of this server.
        must_be_restored: it is archived, so the URL works once it was restored.
    """

    url: str
    expires_in: int | None = None
    size: int | None = None
    must_be_restored: bool = False


class PreviewQuery(ArtifactQuery):
    """Which part is shown. Attributes: `limit` in bytes."""

    limit: Annotated[int, Field(ge=1, le=MAX_PREVIEW)] = 64 * 1024


class MemberPreviewQuery(PreviewQuery):
    """Which member is shown."""

    member: MemberName


class Preview(Answer):
    """The first bytes of an artifact or of a zip's member, as text.

    Attributes:
        name: of the file.
        size: of the whole.
        text: decoded as UTF-8; what is no UTF-8 is shown as the replacement character. Null if it
            is binary.
        is_cut: more follows.
    """

    name: str
    size: int
    text: str | None = None
    is_binary: bool = False
    is_cut: bool = False


class MembersQuery(ArtifactQuery):
    """Which members of the zip.

    Attributes:
        contains: a part of the name.
        after: `next` of the page before.
    """

    contains: Annotated[str, Field(max_length=200)] = ""
    after: Position = 0
    limit: Limit = 200


class MemberQuery(ArtifactQuery):
    """Which member of the zip, by its name."""

    member: MemberName


class ZipMember(Answer):
    """A file or directory in a zip. `name` is relative, and leads downwards only."""

    number: int
    name: str
    is_directory: bool
    size: int
    compressed_size: int
    crc32: str


class Members(Answer):
    """Members of a zip in their order.

    Attributes:
        total: members in the zip, without the filter.
        next: `after` of the next page; null at the end.
    """

    total: int
    members: list[ZipMember]
    next: int | None = None


class ListedObject(Answer):
    """An artifact as a LIST of the store shows it.

    Attributes:
        location: the address of the object; never signed.
        error: why the store does not describe it.
    """

    kind: ArtifactKind
    run_id: int | None
    state: ArtifactState
    reason: ReasonCode | None
    scheme: Scheme | None
    size: int | None
    modified_at: datetime | None
    storage_class: str | None
    location: str | None
    error: str | None


class Listing(Answer):
    """What the store has of a job, compared with what is recorded."""

    at: datetime
    objects: list[ListedObject]
