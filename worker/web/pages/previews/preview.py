"""The choice how some content is shown, by its name and its first bytes."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from artifact_pipeline.worker.web.pages.previews.json_text import indented
from artifact_pipeline.worker.web.pages.previews.table import Table, read_table

PREVIEW_BYTES = 256 * 1024
"""The beginning that is read for a preview."""
IMAGE_BYTES = 8 * 2**20
"""Of the largest picture that is shown."""

_TABLES = {".csv", ".tsv"}
_JSON = {".json", ".geojson"}
# What a browser draws as a picture and nothing else. SVG is a document, so it is shown as text.
_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_WEBP = (b"RIFF", b"WEBP")


class Shape(StrEnum):
    """How content is shown."""

    TEXT = "text"
    JSON = "JSON"
    TABLE = "table"
    IMAGE = "image"
    EMPTY = "empty"
    BINARY = "binary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Attributes: `is_whole` if it is of the whole content, and not of its beginning alone."""

    shape: Shape
    is_whole: bool
    text: str = ""
    table: Table | None = None


def preview_of(name: str, head: bytes, size: int) -> Preview:
    """Return the preview of some content.

    Args:
        name: of the file.
        head: its first bytes.
        size: of all of it.
    """
    is_whole = len(head) >= size
    if not head:
        return Preview(shape=Shape.EMPTY, is_whole=True)
    if image_type(head) is not None:
        shape = Shape.IMAGE if size <= IMAGE_BYTES else Shape.BINARY
        return Preview(shape=shape, is_whole=is_whole)
    text = _decoded(head)
    if text is None:
        return Preview(shape=Shape.BINARY, is_whole=is_whole)
    return _of_text(PurePosixPath(name).suffix.lower(), text, is_whole=is_whole)


def _of_text(suffix: str, text: str, *, is_whole: bool) -> Preview:
    if suffix in _TABLES and (table := read_table(text, is_whole=is_whole)):
        return Preview(shape=Shape.TABLE, is_whole=is_whole, table=table)
    if suffix in _JSON:
        return Preview(shape=Shape.JSON, is_whole=is_whole, text=indented(text))
    return Preview(shape=Shape.TEXT, is_whole=is_whole, text=text)


def image_type(head: bytes) -> str | None:
    """Return the media type of a picture by its first bytes, whatever its name says."""
    if (head[:4], head[8:12]) == _WEBP:
        return "image/webp"
    return next((kind for magic, kind in _IMAGES.items() if head.startswith(magic)), None)


def _decoded(head: bytes) -> str | None:
    """Return the text; None if these are no bytes of a text."""
    if b"\0" in head:
        return None
    return head.decode("utf-8-sig", "replace").replace("\r\n", "\n")
