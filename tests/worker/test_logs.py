"""What the log says instead of what was in a message."""

import inspect
import logging

import pytest
from celery.worker.consumer import consumer
from kombu.transport import redis

from worker.logs import _SAID_INSTEAD, leave_bodies_out


@pytest.mark.parametrize("quoting", [text for text in _SAID_INSTEAD if len(text.splitlines()) == 1])
def test_kombu_still_has_the_lines_that_would_quote(quoting: str) -> None:
    assert repr(quoting) in inspect.getsource(redis)


def test_the_lines_that_would_quote_do_not(caplog: pytest.LogCaptureFixture) -> None:
    leave_bodies_out()
    for said in _SAID_INSTEAD:
        for name in (consumer.__name__, redis.__name__):
            with caplog.at_level(logging.INFO, name):
                logging.getLogger(name).critical(said, "hunter2")
    assert "hunter2" not in caplog.text
    assert set(_SAID_INSTEAD.values()) == set(caplog.messages)
