"""What all the pipeline's tasks do alike: check ids, find the use cases, say how it ended."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, NoReturn, cast

from celery import Celery, Task
from celery.exceptions import Retry
from celery.result import AsyncResult

from artifact_pipeline.domain.errors import (
    BrokerUnavailableError,
    ConfigurationError,
    InvalidRequestError,
    PipelineError,
    SqlUnavailableError,
    TransferError,
    UnexpectedError,
)
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.requester import new_request_id
from artifact_pipeline.domain.model.trace_context import trace_of_message
from artifact_pipeline.domain.model.transfers import MAX_REQUEST_ID, Direction, TransferSummary
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.domain.transfers.retry import (
    SEND_BACK_AFTER,
    MessageDecision,
    decide_message,
)
from artifact_pipeline.tasks.app import ensure_configured, pipeline_app
from artifact_pipeline.tasks.arguments import JobArguments, NoArguments, RunArguments, bind
from artifact_pipeline.tasks.current_trace import in_current_trace
from artifact_pipeline.tasks.hand_on import queue_taken_from
from artifact_pipeline.tasks.own_workspace import for_own_workspace
from artifact_pipeline.tasks.publish import ask_if_drained, publish_of_jobs
from artifact_pipeline.tasks.receipt import workspace_of_message
from artifact_pipeline.tasks.routing import BATCH_HEADER, DELAY_HEADER, RECORDED_HEADER
from artifact_pipeline.tasks.sendable import bind_arguments, check_options
from artifact_pipeline.tasks.services import Services

logger = logging.getLogger(__name__)

_ATTRIBUTE = "artifact_services"


def attach_services(app: Celery, services: Services) -> None:
    """Give the app the use cases that its tasks call."""
    setattr(app, _ATTRIBUTE, services)


def _services_of(app: Celery) -> Services:
    services = getattr(app, _ATTRIBUTE, None)
    if services is None:
        raise ConfigurationError(
            "this process runs no transfers. A worker is started with"
            " `-A artifact_pipeline.worker.app`; in a producer's tests use"
            " artifact_pipeline.tasks.testing.recorded_tasks()"
        )
    return cast("Services", services)


class PipelineTask(Task):  # type: ignore[type-arg]  # generic in the stubs alone
    abstract = True
    # The model checks more than Celery would, here and in the producer.
    typing = False
    # These ends are expected and explained: one line in the log, no traceback.
    throws = (PipelineError,)
    Strategy = "artifact_pipeline.tasks.strategy:refusing_malformed"
    Request = "artifact_pipeline.tasks.events:WatchedRequest"
    # Seconds until Celery's own retry after a killed child. Sooner, the dead child's lease would
    # turn it away; much later, the dispatch has long done it.
    default_retry_delay = 60
    # As an argument of `retry`, None means this value: Celery has 3, and the fourth failure to
    # reach SQL would lose a message that SQL does not know of yet.
    max_retries = None
    arguments: ClassVar[type[NoArguments]] = NoArguments

    @property
    def services(self) -> Services:
        return _services_of(self.app)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Celery's signature
        with trace_of_message(self.request.get("headers") or {}):
            return self.run(**bind(self.arguments, args, kwargs))

    def apply_async(  # type: ignore[override]  # Celery's options pass through unnamed
        self,
        args: Any = None,  # noqa: ANN401 - Celery's signature
        kwargs: Any = None,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> AsyncResult[Any]:
        """Publish, once the arguments and the configuration are found good.

        Raises:
            InvalidRequestError: the arguments name no artifact, or a worker would refuse an option.
            ProducerNotConfiguredError: there is no broker to send to.
        """
        app = pipeline_app(self.app)
        if app is not self.app:
            # The current app is the platform's, and speaks to another broker.
            return app.tasks[self.name].apply_async(args, kwargs, **options)
        ensure_configured(app)
        ids = bind_arguments(self.arguments, args, kwargs)
        check_options(self.name, options)
        options = in_current_trace(self.name, _with_delay(for_own_workspace(self.name, options)))
        return super().apply_async((), ids, **options)

    def chunks(self, *_: Any, **__: Any) -> NoReturn:  # noqa: ANN401 - Celery's signature
        """Refuse: Celery would send another task, which no worker takes."""
        raise InvalidRequestError(
            "map, starmap and chunks are not supported: send a message for each artifact"
        )

    map = starmap = chunks


class TransferTask(PipelineTask):
    abstract = True

    def transfer(self, direction: Direction, artifact: Artifact) -> dict[str, Any]:
        """Run the use case, and end as Flower should show it.

        A failed attempt ends as RETRY and sends no message: SQL says when the next attempt is
        due, and the dispatch publishes it under the same id.
        """
        try:
            # A batch has its own pace and queue.
            is_alone = bool(self.request.get(BATCH_HEADER))
            summary = self.services.transfer(
                direction,
                artifact,
                _request_id(self),
                is_alone=is_alone,
                workspace=self.message_workspace,
            )
        except PipelineError as error:
            # Raise from None: the causes may quote what must not reach Flower.
            raise self._ending(error, is_recorded=True) from None
        except Exception as error:  # noqa: BLE001 - an attempt records all errors: none has begun
            is_recorded = bool(self.request.get(RECORDED_HEADER))
            raise self._ending(self._unexpected(error), is_recorded=is_recorded) from None
        return answer_of(summary)

    def one_or_all(
        self, direction: Direction, job_id: int, request_all: Callable[[], int]
    ) -> dict[str, Any]:
        """Do the transfer that was requested under this message's id.

        If none was, request all that the message may mean, each with a separate message.
        """
        try:
            artifact = self.services.requested(direction, job_id, _request_id(self))
        except SqlUnavailableError as error:
            raise self._ending(error, is_recorded=True) from None
        return self.plan(request_all) if artifact is None else self.transfer(direction, artifact)

    def upload_job(self, job_id: int) -> dict[str, Any]:
        """Do uploads of the job. If time runs out, another message continues."""
        try:
            done = self.services.upload_job(job_id)
        except PipelineError as error:
            raise self._ending(error, is_recorded=True) from None
        except Exception as error:  # noqa: BLE001 - as in `transfer`
            raise self._ending(self._unexpected(error), is_recorded=True) from None
        if not done.is_over:
            self._continue(job_id)
        return {"uploaded": done.ended, "failed": done.failed}

    @property
    def message_workspace(self) -> str | None:
        """The name of the workspace that the message is for."""
        return workspace_of_message(self.request, queue_taken_from(self))

    def _continue(self, job_id: int) -> None:
        try:
            publish_of_jobs([job_id], self.app, self.services.workspace)
        except BrokerUnavailableError as error:
            logger.warning("the uploads of job %d wait for the dispatch: %s", job_id, error)

    def after_return(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - Celery's signature
        """Release more of a batch at once if the workers have nothing left of it."""
        if self.request.get(BATCH_HEADER):
            with suppress(BrokerUnavailableError):
                ask_if_drained(self.app, self.services.workspace)

    def plan(self, request_all: Callable[[], int]) -> dict[str, Any]:
        """Request transfers. While nothing is in SQL, the message itself comes back."""
        return self.unrecorded(lambda: {"requested": request_all()})

    def unrecorded(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do work that SQL has no row of. After a passing failure the message itself comes back."""
        try:
            return work()
        except PipelineError as error:
            raise self._ending(error, is_recorded=False) from None
        except Exception as error:  # noqa: BLE001 - the request would be lost with its message
            raise self._ending(self._unexpected(error), is_recorded=False) from None

    def _unexpected(self, error: Exception) -> UnexpectedError:
        # Leave the error's text out of the log: it may quote a path or a URL.
        name = type(error).__name__
        logger.error("%s: unexpected %s before anything was recorded", self.name, name)
        return UnexpectedError(f"{name}: {error}")

    def _ending(self, error: PipelineError, *, is_recorded: bool) -> Exception:
        """Return what Celery ends the task with. Args: `is_recorded` as `decide_message`."""
        shown = _shown(error)
        match decide_message(error, is_recorded=is_recorded):
            case MessageDecision.SEND_BACK:
                after = SEND_BACK_AFTER.total_seconds()
                return self.retry(exc=shown, countdown=after, throw=False)
            case MessageDecision.LEAVE:
                return Retry(str(shown), exc=shown)
            case MessageDecision.FAIL:
                return shown


class JobTransferTask(TransferTask):
    abstract = True
    arguments = JobArguments


class RunTransferTask(TransferTask):
    abstract = True
    arguments = RunArguments


def _with_delay(options: dict[str, Any]) -> dict[str, Any]:
    """Say in how many seconds a retry is due.

    Celery makes an `eta` of it, by the clock of this worker. By the clock of the next one it may be
    an hour ahead, or over at once.
    """
    if not options.get("retries") or options.get("countdown") is None:
        return options
    headers = {**(options.get("headers") or {}), DELAY_HEADER: float(options["countdown"])}
    return {**options, "headers": headers}


def _shown(error: PipelineError) -> PipelineError:
    if not isinstance(error, TransferError):
        return error
    return type(error)(f"{error.reason}: {redact(str(error))}")


def ending_of(error: Exception) -> tuple[str, str]:
    """Return the type of the event, and what it shows, of a recorded upload that has failed."""
    if not isinstance(error, PipelineError):
        error = UnexpectedError(f"{type(error).__name__}: {error}")
    is_over = decide_message(error, is_recorded=True) is MessageDecision.FAIL
    return "task-failed" if is_over else "task-retried", repr(_shown(error))


def _request_id(task: TransferTask) -> str:
    request_id = task.request.id or new_request_id(None)  # none where it is called as a function
    if len(request_id) > MAX_REQUEST_ID:
        raise InvalidRequestError(
            f"task_id: {len(request_id)} characters; give at most {MAX_REQUEST_ID}"
        )
    return request_id


def answer_of(summary: TransferSummary) -> dict[str, Any]:
    """Return what a task answers."""
    answer = {"state": summary.state.value, "size": summary.size, "seconds": summary.seconds}
    return {name: value for name, value in answer.items() if value is not None}
