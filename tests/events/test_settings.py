"""The settings of events: what is wrong is named, and a secret is never quoted."""

import pytest

from artifact_pipeline.domain.errors import ConfigurationError
from artifact_pipeline.worker.event_settings import (
    EventDeliverySettings,
    EventSwitch,
    EventTargetSettings,
)
from artifact_pipeline.worker.settings import load
from tests.events.steps import SECRET

URL = "https://platform.example.com/events"
GOOD = {"EVENTS": "true", "EVENTS_TASK": "platform.on_artifact"}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> "Given":
    return Given(monkeypatch)


class Given:
    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def __call__(self, **values: str) -> EventDeliverySettings:
        for name, value in values.items():
            self._patch.setenv(f"ARTIFACTS_{name}", value)
        return load(EventDeliverySettings)


def test_events_are_off_by_default(given: Given) -> None:
    settings = given(EVENTS_TASK="platform.on_artifact", EVENTS_URL=URL)
    assert settings.targets_of_all is None


def test_task_and_webhook_get_all_events_and_others_by_their_names(given: Given) -> None:
    settings = given(
        **GOOD,
        EVENTS_URL=URL,
        EVENTS_SECRET=f"{SECRET}, {SECRET}",
        EVENTS_TARGETS="nightly=https://hooks.example.com/x, ops=platform.on_batch",
    )
    assert settings.targets_of_all == ("task", "webhook")
    assert settings.addresses == {
        "task": "platform.on_artifact",
        "webhook": URL,
        "nightly": "https://hooks.example.com/x",
        "ops": "platform.on_batch",
    }
    assert settings.secrets == [SECRET, SECRET]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"EVENTS": "true"}, "ARTIFACTS_EVENTS: no target"),
        ({"EVENTS": "true", "EVENTS_URL": URL}, "ARTIFACTS_EVENTS_SECRET: not set"),
        ({"EVENTS": "true", "EVENTS_TARGETS": f"a={URL}"}, "ARTIFACTS_EVENTS_SECRET: not set"),
        ({"EVENTS_TASK": "on artifact"}, "ARTIFACTS_EVENTS_TASK: 'on artifact' is not the name"),
        ({"EVENTS_TASK": "artifacts.dispatch"}, "ARTIFACTS_EVENTS_TASK: 'artifacts.dispatch' is"),
        ({"EVENTS_TASK": "celery.chain"}, "ARTIFACTS_EVENTS_TASK: 'celery.chain' is not a task"),
        ({"EVENTS_QUEUE": "configs"}, "ARTIFACTS_EVENTS_QUEUE: configs is a queue of the"),
        ({"EVENTS_QUEUE": "a b"}, "ARTIFACTS_EVENTS_QUEUE: use letters"),
        ({"EVENTS_URL": "file:///etc/passwd"}, "ARTIFACTS_EVENTS_URL: not a URL of HTTP"),
        ({"EVENTS_URL": "https://"}, "ARTIFACTS_EVENTS_URL: not a URL of HTTP"),
        ({"EVENTS_URL": "https://u:hidden@host/"}, "ARTIFACTS_EVENTS_URL: remove the user name"),
        ({"EVENTS_TARGETS": "nightly"}, "ARTIFACTS_EVENTS_TARGETS: target 1: use NAME=TASK"),
        ({"EVENTS_TARGETS": "A=b.c"}, "ARTIFACTS_EVENTS_TARGETS: target 1: use NAME=TASK"),
        ({"EVENTS_TARGETS": "task=b.c"}, "ARTIFACTS_EVENTS_TARGETS: task: the name is in use"),
        ({"EVENTS_TARGETS": "a=b,a=c"}, "ARTIFACTS_EVENTS_TARGETS: a: the name is in use"),
        ({"EVENTS_TARGETS": "a=ftp://hidden"}, "ARTIFACTS_EVENTS_TARGETS: not a URL of HTTP"),
        ({"EVENTS_SECRET": "hidden"}, "ARTIFACTS_EVENTS_SECRET: a secret"),
        ({"EVENTS_TIMEOUT_SECONDS": "0"}, "ARTIFACTS_EVENTS_TIMEOUT_SECONDS: "),
    ],
)
def test_what_is_wrong_is_named(given: Given, values: dict[str, str], line: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        given(**values)
    assert str(refused.value).startswith(line)
    assert "hidden" not in str(refused.value)


def test_operators_and_beat_need_no_secret(given: Given) -> None:
    with pytest.raises(ConfigurationError):
        given(EVENTS="true", EVENTS_URL=URL)
    assert load(EventTargetSettings).targets_of_all == ("webhook",)
    assert load(EventSwitch).events
