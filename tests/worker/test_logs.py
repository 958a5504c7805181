"""What the log says instead of what was in a message."""

import inspect
import logging
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from celery import Celery, beat
from celery.app import trace
from celery.worker import strategy
from celery.worker.consumer import consumer
from kombu.transport import redis

from artifact_pipeline.tasks.beat import SteadyScheduler
from artifact_pipeline.tasks.routing import DISPATCH
from artifact_pipeline.worker.messages.log_redaction import (
    _NOT_SENT,
    _SAID_INSTEAD,
    _SENT_BY_BEAT,
    log_upkeep_as_debug,
    redact_message_bodies,
    shorten_errors_of_beat,
)

_OTHERS = ("artifacts.upload_job_config", "artifacts.upload_job")


@pytest.mark.parametrize("quoting", [text for text in _SAID_INSTEAD if len(text.splitlines()) == 1])
def test_kombu_still_has_the_lines_that_would_quote(quoting: str) -> None:
    assert repr(quoting) in inspect.getsource(redis)


def test_the_lines_that_would_quote_do_not(caplog: pytest.LogCaptureFixture) -> None:
    redact_message_bodies()
    for said in _SAID_INSTEAD:
        for name in (consumer.__name__, redis.__name__):
            with caplog.at_level(logging.INFO, name):
                logging.getLogger(name).critical(said, "hunter2")
    assert "hunter2" not in caplog.text
    assert set(_SAID_INSTEAD.values()) == set(caplog.messages)


@pytest.mark.parametrize("line", [_SENT_BY_BEAT, _NOT_SENT])
def test_celery_still_has_the_lines_of_beat(line: str) -> None:
    assert repr(line) in inspect.getsource(beat)


def test_what_beat_could_not_send_is_one_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a broker that is away
    shorten_errors_of_beat()
    scheduler = SteadyScheduler(Celery(set_as_current=False), lazy=True)
    away = beat.SchedulingError("no master was found")
    monkeypatch.setattr(scheduler, "apply_async", Mock(side_effect=away))
    # When
    scheduler.apply_entry(SimpleNamespace(name="dispatch", task=DISPATCH))
    # Then
    [said] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert caplog.handler.format(said).splitlines()[1:] == []
    assert said.getMessage() == "not sent: no master was found"


def test_routine_lines_of_upkeep_and_of_transfers_are_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given
    log_upkeep_as_debug()
    for name in (DISPATCH, *_OTHERS):
        context = {"id": "1", "name": name, "runtime": 1.0, "return_value": "{}"}
        # When
        with caplog.at_level(logging.INFO):
            logging.getLogger(strategy.__name__).info(trace.LOG_RECEIVED, context)
            logging.getLogger(trace.__name__).info(trace.LOG_SUCCESS, context)
            logging.getLogger(beat.__name__).info(_SENT_BY_BEAT, "dispatch", name)
            logging.getLogger(trace.__name__).error(trace.LOG_IGNORED, context | {"description": 1})
    # Then
    said = [sum(f"{name}[" in each for each in caplog.messages) for name in (DISPATCH, *_OTHERS)]
    assert said == [1, 1, 3]


def test_a_message_that_did_nothing_keeps_its_line(caplog: pytest.LogCaptureFixture) -> None:
    # Given a message of a transfer that was done before, and one that has done it
    log_upkeep_as_debug()
    answers = "{'state': 'done'}", "{'state': 'done', 'size': 16, 'seconds': 0.1}"
    name = "artifacts.upload_job_config"
    # When
    with caplog.at_level(logging.INFO):
        for answer in answers:
            context = {"id": "1", "name": name, "runtime": 1.0, "return_value": answer}
            logging.getLogger(trace.__name__).info(trace.LOG_SUCCESS, context)
    # Then
    [line] = caplog.messages
    assert line.endswith(f": {answers[0]}")
