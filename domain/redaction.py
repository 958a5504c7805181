"""What may be kept of an error's text."""

import re

_LIMIT = 300
# Every repetition before a keyword is bounded or begins at a token, so that a long text is not
# searched in quadratic time.
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://\S+|(?<!\S)[^\s?]+\?\S*=\S*", re.IGNORECASE)
_SENSITIVE = (
    # The name of an AWS profile or region is no secret, and errors need it.
    r"(?:x-amz-|(?<![a-z])aws(?!_(?:profile|default_region)\b)"
    r"|signature|credential|authorization|token|secret"
    r"|passw|pwd|access[_-]?key|api[_-]?key)"
)
_SECRET = re.compile(
    rf"(?i)\b([\w-]{{0,40}}?{_SENSITIVE}[\w-]*['\"]?\s*[=:]\s*)"
    r"(?:'[^']*'|\"[^\"]*\"|(?:bearer|basic)\s+\S+|\S+)"
)
# The store answers in XML, which a proxy or a log may have escaped. The end may be cut off.
_SECRET_ELEMENT = re.compile(
    rf"(?i)((?:<|&lt;)[\w:.-]{{0,40}}?{_SENSITIVE}[\w.-]{{0,40}}(?:\s(?:(?!&gt;)[^<>]){{0,200}})?(?:>|&gt;))"
    r"(?:<!\[CDATA\[.*?(?:\]\]>|$)|(?!&lt;)[^<])*(?:(?:<|&lt;)/[\w:.-]+(?:>|&gt;))?"
)
# The ids and secrets of AWS keys, and bearer tokens, are recognisable without a name.
_KEY = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\beyJ[\w-]+\.[\w.-]+|(?i:\bbearer\s+\S+)"
    r"|(?<![\w/+])(?=[a-z0-9/+]{0,39}[A-Z])[A-Za-z0-9/+]{40}(?![\w/+])"
)
_USER = re.compile(r"(?<=://)[^\s/@]*@")
# Keep a file's name inside the zip of results, because errors are about it.
_PATH = re.compile(
    r"(?P<own>'RUN[^'\"/=:\s]*/[^'\"]*')"
    r"|(['\"])(?:~|\.{1,2})?/[^'\"]+\2|(?<![\w/.~])(?:~|\.{1,2})?/(?:[^\s'\":,]|[:,](?=\S))+"
)


def redact(text: str) -> str:
    """Return one line of at most 300 characters without URLs, paths or named secrets."""
    # PostgreSQL refuses NUL, and no encoding takes the surrogates of an undecodable file name.
    printable = "".join(
        c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text
    )
    line = " ".join(printable.split())
    # Do this first: a secret with a question mark in it looks like a URL.
    line = _SECRET_ELEMENT.sub(r"\1<redacted>", line)
    line = _URL.sub("<url>", line)
    line = _SECRET.sub(r"\1<redacted>", line)
    line = _KEY.sub("<redacted>", line)
    line = _PATH.sub(lambda found: found["own"] or "<path>", line)
    return line[:_LIMIT]


def hide_credentials(text: str) -> str:
    """Return one line without the users of URLs and AWS's keys, for errors that must name paths."""
    return _KEY.sub("<redacted>", _USER.sub("", " ".join(text.split())))
