"""The choice how some content is shown, by its name and its first bytes."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from artifact_pipeline.worker.web.api.models.content import Preview
from artifact_pipeline.worker.web.pages.previews.json_text import indented
from artifact_pipeline.worker.web.pages.previews.table import Table, read_table

IMAGE_BYTES = 8 * 2**20
"""Of the largest picture that is shown."""

_TABLES = {".csv", ".tsv"}
_JSON = {".json", ".geojson"}
_IMAGES = {".gif", ".jpeg", ".jpg", ".png", ".webp"}
# What a browser draws as a picture and nothing else. SVG is a document, so it is shown as text.
_SIGNATURES = {
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
class Shown:
    """Content as the page shows it. Attributes: `is_whole` if it is not its beginning alone."""

    shape: Shape
    is_whole: bool
    text: str = ""
    table: Table | None = None


def shown(preview: Preview) -> Shown:
    """Return how the content of a preview is shown."""
    is_whole = not preview.is_cut
    suffix = PurePosixPath(preview.name).suffix.lower()
    if not preview.size:
        return Shown(shape=Shape.EMPTY, is_whole=True)
    if preview.text is None:
        is_image = suffix in _IMAGES and preview.size <= IMAGE_BYTES
        return Shown(shape=Shape.IMAGE if is_image else Shape.BINARY, is_whole=is_whole)
    return _of_text(suffix, preview.text.replace("\r\n", "\n"), is_whole=is_whole)


def _of_text(suffix: str, text: str, *, is_whole: bool) -> Shown:
    if suffix in _TABLES and (table := read_table(text, is_whole=is_whole)):
        return Shown(shape=Shape.TABLE, is_whole=is_whole, table=table)
    if suffix in _JSON:
        return Shown(shape=Shape.JSON, is_whole=is_whole, text=indented(text))
    return Shown(shape=Shape.TEXT, is_whole=is_whole, text=text)


def image_type(head: bytes) -> str | None:
    """Return the media type of a picture by its first bytes, whatever its name says."""
    if (head[:4], head[8:12]) == _WEBP:
        return "image/webp"
    return next((kind for magic, kind in _SIGNATURES.items() if head.startswith(magic)), None)
