"""What must hold between Celery's settings, whatever their figures are."""

from datetime import timedelta

import pytest
from celery import Celery
from celery.app.defaults import SETTING_KEYS

from artifact_pipeline import celeryconfig
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.tasks.routing import (
    BATCHES,
    CONFIGS,
    DISPATCH,
    RECONCILE,
    RESULTS,
    UNROUTED,
    UPKEEP,
    task_name,
)
from artifact_pipeline.tasks.schedule import schedule_optional

SMALL = [ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_CONFIG]
UPKEEP_TASKS = [
    *("artifacts.dispatch", "artifacts.reconcile", "artifacts.confirm_upload"),
    *("artifacts.verify_job", "artifacts.archive_job", "artifacts.restore_job"),
    *("artifacts.delete_job", "artifacts.relocate_job", "artifacts.download_job"),
    *("artifacts.write_manifest", "artifacts.apply_retention", "artifacts.audit"),
    "artifacts.deliver_events",
]
QUEUE_OF = {
    **{
        task_name(direction, kind): CONFIGS if kind in SMALL else RESULTS
        for direction in Direction
        for kind in ArtifactKind
    },
    **dict.fromkeys(UPKEEP_TASKS, UPKEEP),
    "artifacts.upload_job": CONFIGS,
}


@pytest.fixture
def app() -> Celery:
    """An app with these settings, that is nobody's default."""
    app = Celery("tests", set_as_current=False)
    app.config_from_object(celeryconfig)
    return app


def test_no_message_is_delivered_again_while_its_task_may_still_run() -> None:
    # When
    longest = celeryconfig.task_time_limit + celeryconfig.worker_soft_shutdown_timeout
    # Then
    assert celeryconfig.visibility_timeout > longest
    assert celeryconfig.task_soft_time_limit < celeryconfig.task_time_limit


def test_no_worker_counts_as_dead_because_its_broker_is_slow() -> None:
    # Given a broker that stops the main loop for as long as it may, just before a renewal
    options = celeryconfig.broker_transport_options
    longest = options["unacked_restore_interval"] + options["socket_timeout"]
    # Then
    assert options["channel_seconds"] > longest


def test_the_visibility_timeout_is_the_same_wherever_it_is_read(app: Celery) -> None:
    # Then
    expected = celeryconfig.visibility_timeout
    assert app.conf.broker_transport_options["visibility_timeout"] == expected
    assert app.conf.result_backend_transport_options["visibility_timeout"] == expected


def test_a_dead_socket_hangs_nobody() -> None:
    # Then
    options = celeryconfig.broker_transport_options
    for name in ("socket_timeout", "socket_connect_timeout", "health_check_interval"):
        assert isinstance(options[name], int)
        assert 0 < options[name] <= 60
    assert options["socket_keepalive"] is True


def test_only_json_goes_in_and_out(app: Celery) -> None:
    # Then
    assert app.conf.accept_content == ["json"]
    assert app.conf.result_accept_content in (None, ["json"])
    assert (app.conf.task_serializer, app.conf.result_serializer) == ("json", "json")
    assert app.conf.event_serializer == "json"


def test_a_worker_holds_what_it_runs_until_it_has_run(app: Celery) -> None:
    # Then
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.task_acks_late is True
    assert app.conf.task_retry_on_worker_lost is True
    assert not app.conf.task_reject_on_worker_lost


def test_acknowledging_failures_and_timeouts_is_left_to_celery() -> None:
    # Then: on Redis, one of the other choices drops the message and the other loops for ever
    assert not hasattr(celeryconfig, "task_acks_on_failure")
    assert not hasattr(celeryconfig, "task_acks_on_timeout")
    assert not hasattr(celeryconfig, "task_acks_on_failure_or_timeout")


@pytest.mark.parametrize(("name", "queue"), QUEUE_OF.items(), ids=QUEUE_OF)
def test_a_task_goes_to_the_queue_of_its_size(app: Celery, name: str, queue: str) -> None:
    # When
    route = app.amqp.router.route({}, name)
    # Then
    assert route["queue"].name == queue


def test_a_task_of_somebody_elses_is_not_mixed_with_ours(app: Celery) -> None:
    # When
    route = app.amqp.router.route({}, "others.upload_job_config")
    # Then
    assert route["queue"].name == celeryconfig.task_default_queue


def test_every_queue_is_bound_to_itself_alone(app: Celery) -> None:
    # When
    queues = app.amqp.queues
    # Then
    assert set(queues) == {CONFIGS, RESULTS, UPKEEP, BATCHES, UNROUTED}
    for name, queue in queues.items():
        assert (queue.exchange.name, queue.routing_key) == (name, name)


def test_what_beat_asks_for_is_a_task_that_a_worker_has(app: Celery) -> None:
    # Given
    app.loader.import_default_modules()
    app.finalize(auto=True)
    # When
    entries = celeryconfig.beat_schedule.values()
    # Then
    assert {entry["task"] for entry in entries} == {DISPATCH, RECONCILE} <= set(app.tasks)
    for entry in entries:
        assert isinstance(entry["schedule"], timedelta)


@pytest.mark.parametrize("name", [*celeryconfig.OPTIONAL_SCHEDULE, None])
def test_beat_asks_for_optional_tasks_only_where_they_are_on(app: Celery, name: str | None) -> None:
    # Given
    before = dict(app.conf.beat_schedule)
    # When
    schedule_optional(app, **{each: each == name for each in celeryconfig.OPTIONAL_SCHEDULE})
    # Then
    added = {name: celeryconfig.OPTIONAL_SCHEDULE[name]} if name else {}
    assert dict(app.conf.beat_schedule) == before | added
    # And the schedule of other apps is as it was
    assert set(celeryconfig.beat_schedule) == set(before)


def test_a_worker_has_every_task_of_the_uploads(app: Celery) -> None:
    # When
    app.loader.import_default_modules()
    app.finalize(auto=True)
    # Then
    uploads = {task_name(Direction.UPLOAD, kind) for kind in ArtifactKind}
    assert uploads <= set(app.tasks)
    ours = [name for name in app.tasks if name.startswith("artifacts.")]
    assert {name for name in ours if name not in QUEUE_OF} == set()


def test_a_broker_that_is_away_is_waited_for(app: Celery) -> None:
    # Then
    assert app.conf.broker_connection_retry_on_startup is True
    assert app.conf.broker_connection_max_retries is None


def test_every_setting_is_one_that_celery_knows() -> None:
    # Given
    names = {name for name in vars(celeryconfig) if not name.startswith("_") and name.islower()}
    # When
    unknown = names - set(SETTING_KEYS)
    # Then: these are imports, and a figure that the options below it repeat
    assert unknown == {"timedelta", "queue_of", "visibility_timeout"}
