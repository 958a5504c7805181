"""Lines of the log in the form of ARTIFACTS_LOG_FORMAT, for Celery's own handlers."""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from celery.signals import after_setup_logger, after_setup_task_logger
from celery.utils.log import get_multiprocessing_logger

from artifact_pipeline.worker.logs.fields import fields_of, transfer_fields
from artifact_pipeline.worker.logs.forms import LogFormat


def use_log_format(form: LogFormat) -> None:
    """Have Celery's handlers write lines of this form; `--loglevel` and `--logfile` hold."""

    def reform(logger: Any, **_signal: Any) -> None:  # noqa: ANN401 - Celery's signal
        set_form(logger.handlers, form)
        # Celery sends no signal for the log of its pool.
        of_pool = get_multiprocessing_logger()
        set_form(of_pool.handlers if of_pool else (), form)

    after_setup_logger.connect(reform, weak=False)
    after_setup_task_logger.connect(reform, weak=False)


def set_form(handlers: Iterable[logging.Handler], form: LogFormat) -> None:
    """Give the handlers a formatter of this form."""
    for handler in handlers:
        if isinstance(handler.formatter, ConsoleLines | JsonLines):
            continue
        inner = handler.formatter or logging.Formatter()
        handler.setFormatter(JsonLines() if form == "json" else ConsoleLines(inner))


def set_form_of_all(form: LogFormat) -> None:
    """Give all handlers of this process this form. Without any, add one for stderr."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    set_form(root.handlers, form)


class ConsoleLines(logging.Formatter):
    """Lines as Celery writes them, and behind them the transfer that they are about."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        line = self._inner.format(record)
        fields = transfer_fields()
        if not fields:
            return line
        first, newline, rest = line.partition("\n")
        shown = " ".join(f"{name}={_in_one_word(value)}" for name, value in fields.items())
        return f"{first}  {shown}{newline}{rest}"


def _in_one_word(value: object) -> str:
    """Return the value; the id of a request is any text that its producer chose."""
    text = str(value)
    return text if text.isprintable() and " " not in text else ascii(text)


class JsonLines(logging.Formatter):
    """Each record as one line of JSON."""

    def __init__(self) -> None:
        super().__init__()
        # A worker with the other form does not load it.
        from structlog.processors import ExceptionRenderer, JSONRenderer  # noqa: PLC0415
        from structlog.stdlib import ProcessorFormatter  # noqa: PLC0415

        self._inner = ProcessorFormatter(
            foreign_pre_chain=[_described],
            processors=[
                ProcessorFormatter.remove_processors_meta,
                ExceptionRenderer(),
                JSONRenderer(ensure_ascii=False, default=str),
            ],
        )

    def format(self, record: logging.LogRecord) -> str:
        return self._inner.format(record)


def _described(_logger: object, _method: str, line: Any) -> Any:  # noqa: ANN401 - structlog's
    record: logging.LogRecord = line["_record"]
    return {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        "level": record.levelname.lower(),
        "logger": record.name,
        "process": record.processName,
        **line,
        **fields_of(record),
    }
