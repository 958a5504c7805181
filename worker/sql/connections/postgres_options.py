"""The settings in libpq's `options`, as in `?options=-csearch_path=platform`."""

import re
from collections.abc import Iterator

_WORD = re.compile(r"(?:\\.|[^\\\s])+")
_ESCAPE = re.compile(r"\\(.)")


def parse_options(options: str) -> dict[str, str] | None:
    """Return the settings by name, or None if the options hold something else as well.

    PostgreSQL splits them at spaces that no backslash precedes, and takes `-c name=value`,
    `-cname=value` and `--name=value`.
    """
    try:
        return dict(_settings(options))
    except ValueError:
        return None


def _settings(options: str) -> Iterator[tuple[str, str]]:
    words = iter([_ESCAPE.sub(r"\1", word) for word in _WORD.findall(options)])
    for word in words:
        if word == "-c":
            setting = next(words, "")
        elif word.startswith(("-c", "--")):
            setting = word[2:]
        else:
            raise ValueError(word)
        name, equals, value = setting.partition("=")
        if not name or not equals:
            raise ValueError(setting)
        yield name.replace("-", "_").lower(), value
