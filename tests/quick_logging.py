"""The capture of logs, for which pytest looks at some hundred loggers six times for each test.

Here it does so three times, and quicker; it took more time than the short tests themselves.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from _pytest.logging import LoggingPlugin, caplog_handler_key, caplog_records_key

_runtest_for: Any = LoggingPlugin._runtest_for


def share() -> None:
    """Let the two handlers of each phase of a test be attached to the same loggers at once."""
    setattr(LoggingPlugin, "_runtest_for", _quickly)  # noqa: B010 - mypy lets no method be assigned


@contextmanager
def _quickly(plugin: LoggingPlugin, item: pytest.Item, when: str) -> Iterator[None]:
    """Do as pytest does, where it is told no level."""
    if plugin.log_level is not None:
        with _runtest_for(plugin, item, when):
            yield
        return
    handlers = (plugin.caplog_handler, plugin.report_handler)
    loggers = [logging.getLogger(), *_apart()]
    for handler in handlers:
        for logger in loggers:
            logger.addHandler(handler)
        handler.reset()
    item.stash[caplog_records_key][when] = plugin.caplog_handler.records
    item.stash[caplog_handler_key] = plugin.caplog_handler
    try:
        yield
    finally:
        item.add_report_section(when, "log", plugin.report_handler.stream.getvalue().strip())
        for handler in handlers:
            for logger in loggers:
                logger.removeHandler(handler)


def _apart() -> list[logging.Logger]:
    """Return the loggers whose records the root does not see."""
    known: Iterable[Any] = logging.root.manager.loggerDict.values()
    return [each for each in known if not getattr(each, "propagate", True)]
