"""The body of a message: unpacked within limits, and of the one shape that Celery expects."""

import json
import zlib
from typing import Any

from artifact_pipeline.domain.errors import PipelineError

LONGEST = 64 * 1024
"""Bytes; ours have about 1 KB."""

_MOST_BRACKETS = 500
LINKS = frozenset({"callbacks", "errbacks", "chain", "chord"})
"""What Celery runs when a task has ended, in the third part of a body."""
_ZLIB = ("application/x-gzip", "gzip", "zlib")


class RefusedError(PipelineError):
    """An element of a queue that is no message; says which part, never what was in it."""


def is_compression(name: object) -> bool:
    """Return whether a worker unpacks what is packed by this method of kombu's."""
    return name in _ZLIB


def parsed(text: bytes) -> Any:  # noqa: ANN401 - of JSON
    # kombu makes objects of other types from JSON with this key. What is nested deeply would end
    # the worker with a RecursionError when Celery reads it.
    if b"__type__" in text or text.count(b"[") + text.count(b"{") > _MOST_BRACKETS:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def inflated(raw: bytes, compression: object) -> bytes:
    """Decompress at most as many bytes as a message may have: few bytes can become many."""
    if not is_compression(compression):
        raise RefusedError("headers.compression")
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # zlib's header or gzip's
    text = inflater.decompress(raw, LONGEST)
    if inflater.unconsumed_tail:
        raise RefusedError("size")
    if not inflater.eof:
        raise RefusedError("body")
    return text


def checked(body: Any) -> list[Any]:  # noqa: ANN401 - of JSON
    """Return [args, kwargs, embed], without the links that embed may have."""
    match body:
        case [list() as args, dict() as kwargs, embed] if _is_harmless(embed):
            return [args, kwargs, {}]
    raise RefusedError("body")


def _is_harmless(embed: object) -> bool:
    """Return whether it has no key that would replace what Celery knows of the request."""
    return embed is None or (isinstance(embed, dict) and embed.keys() <= LINKS)
