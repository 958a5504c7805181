"""The first bytes of a file as text."""

import codecs

_MOST_STRANGE = 0.1
"""Replacement characters, of all, in a text."""


def as_text(data: bytes, *, is_cut: bool) -> str | None:
    """Return the bytes decoded as UTF-8, or None if they are no text.

    Args:
        data: from the beginning of the file.
        is_cut: more follows, so that the last character may be incomplete.
    """
    if b"\0" in data:
        return None
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    text = decoder.decode(data, final=not is_cut)
    strange = text.count("\N{REPLACEMENT CHARACTER}")
    return None if strange > len(text) * _MOST_STRANGE else text
