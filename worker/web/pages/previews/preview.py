"""The choice how some content is shown, by its name and its first bytes."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from markupsafe import Markup, escape

from artifact_pipeline.worker.web.api.models.content import Preview
from artifact_pipeline.worker.web.pages.formats import visible
from artifact_pipeline.worker.web.pages.previews.json_text import indented
from artifact_pipeline.worker.web.pages.previews.table import Table, read_table

IMAGE_BYTES = 8 * 2**20
"""Of the largest picture that is shown."""
TEXT_BYTES = 2**20
"""Of a text, indented and as HTML: a character can take ten times its bytes there."""
_STEP = 4096

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
    """Content as the page shows it.

    Attributes:
        is_whole: it is not the beginning alone.
        is_shortened: less is shown than was read.
        text: as HTML.
    """

    shape: Shape
    is_whole: bool
    is_shortened: bool = False
    text: Markup = field(default_factory=Markup)
    table: Table | None = None


def shown(preview: Preview) -> Shown:
    """Return how the content of a preview is shown. It takes a while for a long one."""
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
    is_json = suffix in _JSON
    html, is_all = _as_html(indented(text, TEXT_BYTES) if is_json else text)
    return Shown(
        shape=Shape.JSON if is_json else Shape.TEXT,
        is_whole=is_whole and is_all,
        is_shortened=not is_all,
        text=html,
    )


def _as_html(text: str) -> tuple[Markup, bool]:
    """Return the text as HTML, as far as it is not too long, and whether that is all."""
    parts: list[Markup] = []
    size = 0
    for start in range(0, len(text), _STEP):
        part = escape(visible(text[start : start + _STEP]))
        size += len(part.encode())
        if size > TEXT_BYTES:
            return Markup("").join(parts), False
        parts.append(part)
    return Markup("").join(parts), True


def image_type(head: bytes) -> str | None:
    """Return the media type of a picture by its first bytes, whatever its name says."""
    if (head[:4], head[8:12]) == _WEBP:
        return "image/webp"
    return next((kind for magic, kind in _SIGNATURES.items() if head.startswith(magic)), None)
