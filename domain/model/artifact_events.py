"""Events: what the pipeline tells other programs about artifacts, transfers and batches."""

from enum import StrEnum
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

TASK_TARGET: Final = "task"
"""The target of ARTIFACTS_EVENTS_TASK."""
WEBHOOK_TARGET: Final = "webhook"
"""The target of ARTIFACTS_EVENTS_URL."""
MAX_TARGET = 32
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class EventType(StrEnum):
    """The types of events. Later versions may add others."""

    ARTIFACT_STORED = "artifact.stored"
    """The artifact is in the store, and recorded."""
    TRANSFER_QUARANTINED = "transfer.quarantined"
    """The transfer has failed, and an operator must look at it."""
    TRANSFER_CANCELLED = "transfer.cancelled"
    """The transfer was cancelled, or discarded from the quarantine."""
    BATCH_ENDED = "batch.ended"
    """The batch is done, or was cancelled."""


class ArtifactEvent(BaseModel):
    """One event. Fields that do not apply are left out of its JSON, and are None here.

    A later version may add types and fields. Ignore those that you do not know.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(
        description="The same in each delivery of the event, and of no other event.",
        min_length=1,
    )
    type: str = Field(description=f"{', '.join(EventType)}, or one of a later version.")
    time: AwareDatetime = Field(
        description="When it was recorded, by the database's clock, in UTC. Deliveries come later."
    )
    job_id: int | None = Field(None, description="The job's id.")
    run_id: int | None = Field(None, description="The run's id, if the artifact belongs to a run.")
    kind: str | None = Field(None, description="The artifact's kind, such as run_results.")
    direction: str | None = Field(
        None, description="The transfer's direction: upload, download, confirm or relocate."
    )
    transfer_id: int | None = Field(None, description="The transfer's id.")
    request_id: str | None = Field(
        None, description="The id of the request, which is the id of its Celery task too."
    )
    batch_id: int | None = Field(None, description="The batch's id, if there is one.")
    batch_state: str | None = Field(None, description="How the batch ended: done or cancelled.")
    batch_members: int | None = Field(None, description="How many members the batch has.")
    reason_code: str | None = Field(
        None,
        description="Why the transfer is in quarantine; if it was cancelled, why it had failed.",
    )
    size: int | None = Field(None, description="Bytes of the artifact.")
    sha256: str | None = Field(None, description="Of the artifact's bytes, in hexadecimal.")

    @classmethod
    def schema_of_body(cls) -> dict[str, Any]:
        """Return the JSON schema of what is delivered."""
        schema = cls.model_json_schema(mode="serialization")
        for field in schema["properties"].values():
            # A field that is None is left out.
            field.update(field.pop("anyOf", [{}])[0])
            field.pop("default", None)
            field.pop("title")
        return {"$schema": _DRAFT, **schema}

    def payload(self) -> dict[str, Any]:
        """Return what is delivered, as values of JSON."""
        return self.model_dump(mode="json", exclude_none=True)

    def body(self) -> bytes:
        """Return what is delivered, as JSON."""
        return self.model_dump_json(exclude_none=True).encode()
