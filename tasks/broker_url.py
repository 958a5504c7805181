"""Options in the broker's URL that kombu cannot read."""

import re
from math import inf

_TIMEOUT = re.compile(r"(?P<before>[?&])connect_timeout=(?P<seconds>[^&;]*)(?P<after>[&;]|$)")

_CONNECT_TIMEOUT = "connect_timeout"
_HEARTBEAT = re.compile(r"[?&]heartbeat=([^&;]*)")


def split_connect_timeout(broker_url: str) -> tuple[str, float | None]:
    """Return the URL without its `connect_timeout`, and that as a number; of several, the last.

    kombu hands the text on, which ends the first connection with a TypeError.

    Raises:
        ValueError: it is no number of seconds above zero, or the heartbeat is no number.
    """
    for heartbeat in _HEARTBEAT.findall(broker_url):
        _number("heartbeat", heartbeat)
    seconds = None
    while found := _TIMEOUT.search(broker_url):
        seconds = _number(_CONNECT_TIMEOUT, found["seconds"])
        before = found["before"] if found["after"] == "&" else ""
        after = "" if found["after"] == "&" else found["after"]
        broker_url = broker_url[: found.start()] + before + after + broker_url[found.end() :]
    return broker_url, seconds


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{name} is not a number of seconds") from None
    if name == _CONNECT_TIMEOUT and not 0 < number < inf:
        # Zero would be a socket that never waits, and the others end its connection.
        raise ValueError(f"{name} is {text}. It must be above 0; example: 5")
    return number
