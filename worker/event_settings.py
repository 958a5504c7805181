"""The settings of events: whom they are delivered to, and how."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from artifact_pipeline.domain.model.artifact_events import TASK_TARGET, WEBHOOK_TARGET
from artifact_pipeline.worker.setting_checks import (
    check_event_queue,
    check_event_secrets,
    check_event_targets,
    check_event_task,
    check_event_url,
    split_event_targets,
    split_secrets,
)
from artifact_pipeline.worker.store_settings import EnvironmentSettings


class EventSwitch(EnvironmentSettings):
    # Writing and delivering events. Beat, all workers and operators' commands need the same.
    events: bool = False


class EventTargetSettings(EventSwitch):
    """The targets of events, which what records events must know."""

    # A task of the platform, and a URL, that get all events.
    events_task: Annotated[str, AfterValidator(check_event_task)] | None = None
    events_url: Annotated[str, AfterValidator(check_event_url)] | None = None
    # NAME=TASK_OR_URL, separated by commas, for `artifacts batch start --notify NAME`.
    events_targets: Annotated[str, AfterValidator(check_event_targets)] = ""

    @property
    def targets_of_all(self) -> tuple[str, ...] | None:
        """The names of the targets that get all events; None if events are off."""
        if not self.events:
            return None
        given = {TASK_TARGET: self.events_task, WEBHOOK_TARGET: self.events_url}
        return tuple(name for name, target in given.items() if target)

    @property
    def addresses(self) -> Mapping[str, str]:
        """The task or URL of each target, by its name."""
        given = {TASK_TARGET: self.events_task, WEBHOOK_TARGET: self.events_url}
        of_all = {name: target for name, target in given.items() if target}
        return {**of_all, **split_event_targets(self.events_targets)}

    @model_validator(mode="after")
    def _events_need_a_target(self) -> Self:
        if self.events and not self.addresses:
            raise ValueError(
                "ARTIFACTS_EVENTS: no target. Set ARTIFACTS_EVENTS_TASK, ARTIFACTS_EVENTS_URL or"
                " ARTIFACTS_EVENTS_TARGETS"
            )
        return self


class EventDeliverySettings(EventTargetSettings):
    """What workers deliver events by."""

    # Where the task's messages go; the platform's workers listen to it.
    events_queue: Annotated[str, AfterValidator(check_event_queue)] = "events"
    # Of the webhooks' signatures: whsec_ and base64 after it; several while one replaces another.
    events_secret: Annotated[str, AfterValidator(check_event_secrets)] = ""
    # How long a receiver may take to connect, and to answer.
    events_timeout_seconds: Annotated[float, Field(ge=0.1, le=60)] = 10

    @property
    def secrets(self) -> list[str]:
        """The secrets that webhooks are signed by."""
        return split_secrets(self.events_secret)

    @model_validator(mode="after")
    def _webhooks_are_signed(self) -> Self:
        has_url = any("://" in target for target in self.addresses.values())
        if self.events and has_url and not self.secrets:
            raise ValueError(
                "ARTIFACTS_EVENTS_SECRET: not set, and webhooks are always signed. Example:"
                " whsec_ and after it the output of `openssl rand -base64 32`"
            )
        return self
