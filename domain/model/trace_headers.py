"""Headers that carry a trace from a producer to a worker, by the grammars of their specifications.

https://www.w3.org/TR/trace-context/, https://www.w3.org/TR/baggage/,
https://develop.sentry.dev/sdk/foundations/trace-propagation/
"""

import json
import re
from collections.abc import Mapping

_KEY = (
    r"(?:[a-z][a-z0-9_\-*/]{0,255}"
    r"|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
)
_VALUE = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER = rf"(?:[ \t]*{_KEY}={_VALUE}[ \t]*)?"
# Possessive: with blanks that may belong to either side, a text that does not match would take
# twice as long with each of its entries.
_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_OCTETS = r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*+"
_BLANK = r"[ \t]*+"
_PROPERTY = rf"{_BLANK};{_BLANK}{_WORD}(?:{_BLANK}={_BLANK}{_OCTETS})?+"
_ENTRY = rf"{_BLANK}{_WORD}{_BLANK}={_BLANK}{_OCTETS}(?:{_PROPERTY})*+{_BLANK}"

_GRAMMARS = {
    # Version ff is invalid, and so are ids of zeros alone. A later version may add fields.
    "traceparent": re.compile(
        r"(?!ff)(?:00|[0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    ),
    "tracestate": re.compile(rf"{_MEMBER}(?:,{_MEMBER}){{0,31}}"),
    "baggage": re.compile(rf"{_ENTRY}(?:,{_ENTRY}){{0,63}}"),
    "sentry-trace": re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}(?:-[01])?"),
}
NAMES = tuple(_GRAMMARS)
"""The names of the headers."""
_LONGEST = {"tracestate": 512, "baggage": 8192}
# Sentry puts them there too.
_NESTED = "headers"


def trace_headers(headers: Mapping[str, object]) -> dict[str, str]:
    """Return the headers of a trace that match their grammars; the others are left out."""
    if not headers:
        return {}
    nested = headers.get(_NESTED)
    found = {**nested, **headers} if isinstance(nested, Mapping) else headers
    return {
        name: value
        for name, grammar in _GRAMMARS.items()
        if isinstance(value := found.get(name), str)
        and len(value) <= _LONGEST.get(name, 128)
        and grammar.fullmatch(value)
    }


def as_text(headers: Mapping[str, object]) -> str | None:
    """Return the valid headers as a row of `transfers` keeps them; None if there are none."""
    valid = trace_headers(headers)
    return json.dumps(valid) if valid else None


def parse(text: str | None) -> dict[str, str]:
    """Return the headers of a row. Leave out what is invalid: any program may have written it."""
    if text is None:
        return {}
    try:
        headers = json.loads(text)
    except ValueError:
        return {}
    return trace_headers(headers) if isinstance(headers, dict) else {}
