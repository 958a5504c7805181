"""What may be kept of an error's text."""

import re

_LIMIT = 300
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w/.])/(?:[^\s/'\":,]+/)*[^\s/'\":,]+")
_SECRET = re.compile(
    r"(?i)\b(x-amz-[a-z-]+|aws\w*|signature|token|secret\w*|password|pwd|access\w*key\w*)"
    r"(\s*[=:]\s*)\S+"
)


def redact(text: str) -> str:
    """One line of at most 300 characters without URLs, paths or anything named as a secret."""
    line = " ".join(text.split())
    line = _URL.sub("<url>", line)
    line = _SECRET.sub(r"\1\2<redacted>", line)
    line = _PATH.sub("<path>", line)
    return line[:_LIMIT]
