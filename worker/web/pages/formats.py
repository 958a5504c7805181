"""Numbers, sizes, times and states as text, for the templates."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup, escape

from artifact_pipeline.domain.model.durations import duration

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
_THOUSAND = 1000
_THREE_DIGITS = 100
NONE = "-"
"""What stands for a value that is missing."""

_TONES = {
    "good": "stored done ok up unchanged closed completed verified",
    "busy": "requested running active attempt published processing submitted created",
    "wait": "waiting retry released paused previewed warning late due unfinished partial archived",
    "bad": "quarantined failed lost missing error unreadable refused open interrupted expired down",
}
_TONE_OF = {word: tone for tone, words in _TONES.items() for word in words.split()}


def visible(value: object) -> str:
    """Return text whose control characters and marks of direction are escaped."""
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in str(value))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def number(value: float | None) -> str:
    """Return a number with its thousands apart."""
    return NONE if value is None else f"{value:,}"


def size(value: int | None) -> str:
    """Return a number of bytes, rounded to three digits or so."""
    if value is None:
        return NONE
    scaled, unit = float(value), 0
    while scaled >= _THOUSAND and unit < len(_UNITS) - 1:
        scaled, unit = scaled / _THOUSAND, unit + 1
    if unit == 0:
        return f"{value} byte" if value == 1 else f"{value} bytes"
    digits = 1 if scaled < _THREE_DIGITS else 0
    return f"{scaled:.{digits}f} {_UNITS[unit]}"


def moment(value: datetime | None) -> str:
    """Return a time in UTC."""
    return NONE if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def machine_time(value: datetime) -> str:
    """Return a time for the `datetime` attribute."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def elapsed(value: timedelta | float | None) -> str:
    """Return a duration, of seconds too, in its two largest units."""
    if value is None:
        return NONE
    passed = duration(value if isinstance(value, timedelta) else timedelta(seconds=value))
    largest, _, next_one = passed.partition(" ")
    return largest if next_one.startswith("0") else passed


def ago(value: datetime | None, now: datetime) -> str:
    """Return how long ago a time was, or in how long it will be."""
    if value is None:
        return NONE
    passed = now - value
    return f"{elapsed(passed)} ago" if passed >= timedelta() else f"in {elapsed(-passed)}"


def shortened(value: object, length: int = 300) -> str:
    """Return text with its middle left out if it is long."""
    text = str(value)
    if len(text) <= length:
        return text
    return f"{text[: length // 2]}\N{HORIZONTAL ELLIPSIS}{text[-(length // 2) :]}"


def coded(text: str) -> Markup:
    """Return a text of ours in which what stands between backticks is code."""
    parts = [escape(part) for part in text.split("`")]
    marked = [Markup("<code>{}</code>").format(p) if n % 2 else p for n, p in enumerate(parts)]
    return Markup("").join(marked)


def tags(value: Any) -> list[str]:  # noqa: ANN401 - as the platform keeps them
    """Return a job's tags as the search takes them: `name=value`, or names alone."""
    if isinstance(value, Mapping):
        return [f"{name}={plain(each)}" for name, each in value.items()]
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return [] if value in (None, "") else [str(value)]


def plain(value: Any) -> str:  # noqa: ANN401 - whatever a filter or a tag holds
    """Return a value of JSON as text."""
    if isinstance(value, Mapping):
        return "-".join(dict.fromkeys(map(str, value.values())))
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return str(value)


def percent(part: float, whole: float) -> str:
    """Return the part of a whole, rounded down so that 100% means all."""
    return "0%" if not whole else f"{int(part * 100 / whole)}%"


def tone(state: Any) -> str:  # noqa: ANN401 - an enum or a text
    """Return the class of a state's colour. The state's name always stands beside it."""
    return _TONE_OF.get(str(state).lower(), "plain")


def words(name: Any) -> str:  # noqa: ANN401 - an enum or a text
    """Return a name such as `run_results` as words."""
    return str(name).replace("_", " ")


FILTERS = {
    each.__name__: each
    for each in (
        *(visible, number, size, moment, machine_time, elapsed, ago, shortened, tags, plain),
        *(percent, tone, words, coded),
    )
}
