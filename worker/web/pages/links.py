"""The addresses of the pages, relative to where the application is mounted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from artifact_pipeline.domain.maintenance.attention import ProblemCode
from artifact_pipeline.domain.maintenance.pipeline_status import RECENT_FAILURES
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.transfers import TransferState
from artifact_pipeline.domain.reasons import ReasonCode
from artifact_pipeline.tasks.routing import OF_TRANSFERS, work_of_queue
from artifact_pipeline.worker.web.api.models.jobs import ArtifactNode
from artifact_pipeline.worker.web.api.models.overview import NeedsHand
from artifact_pipeline.worker.web.api.routes import ROOT as API_ROOT

_OF_QUEUES = {
    ProblemCode.STUCK: "due",
    ProblemCode.BEHIND: "due",
    ProblemCode.NO_WORKER: "due",
    ProblemCode.WORKSPACE_UNSERVED: "due",
    ProblemCode.LEASE_EXPIRED: "expired",
}

_PLACES = {
    ProblemCode.BROKER_AWAY: "/system#findings",
    ProblemCode.NO_DISPATCH: "/#upkeep",
    ProblemCode.STRAY_QUEUE: "/#upkeep",
    ProblemCode.STORE_BREAKER_OPEN: "/#breakers",
    ProblemCode.WORKSPACE_BREAKER_OPEN: "/#breakers",
}
"""The section that has a problem. Events have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The addresses that one page shows.

    Attributes:
        root: the path that the application is mounted at, without a slash at its end.
        path: of the page, below the root.
        query: of the page.
    """

    root: str = ""
    path: str = "/"
    query: Mapping[str, str] = field(default_factory=dict)

    def url(self, path: str) -> str:
        """Return the address of a page. Args: `path` begins with a slash."""
        return f"{self.root}{quote(path)}"

    @property
    def here(self) -> str:
        return _with_query(self.url(self.path), self.query)

    def next(self, **changed: object) -> str:
        """Return this page's address with another position."""
        return _with_query(self.url(self.path), {**self.query, **changed})

    def job(self, job_id: int) -> str:
        return self.url(f"/jobs/{job_id}")

    def artifact(self, artifact: Artifact | ArtifactNode, job_id: int | None = None) -> str:
        """Return the page of an artifact. Args: `job_id` of one that does not name its job."""
        return self._of_artifact("", artifact, job_id)

    def download(self, artifact: Artifact | ArtifactNode, job_id: int | None = None) -> str:
        return self._of_artifact("/download", artifact, job_id)

    def member(self, artifact: Artifact, name: str) -> str:
        return self._of_artifact("/member", artifact, member=name)

    def member_picture(self, artifact: Artifact, name: str) -> str:
        return self._of_artifact("/member/picture", artifact, member=name)

    def member_download(self, artifact: Artifact, name: str) -> str:
        """Return where the API has the file."""
        return self._of_artifact("/members/content", artifact, root=API_ROOT, member=name)

    def _of_artifact(
        self,
        page: str,
        artifact: Artifact | ArtifactNode,
        job_id: int | None = None,
        root: str = "",
        **query: object,
    ) -> str:
        job = artifact.job_id if isinstance(artifact, Artifact) else job_id
        path = self.url(f"{root}/jobs/{job}/artifacts/{artifact.kind}{page}")
        return _with_query(path, {"run_id": artifact.run_id, **query})

    def batch_report(self, batch_id: int) -> str:
        """Return where the API has the report of a batch."""
        return self.url(f"{API_ROOT}/batches/{batch_id}/report")

    def tag(self, tag: str) -> str:
        return _with_query(self.url("/jobs"), {"tag": tag})

    def transfers(self, **criteria: object) -> str:
        return _with_query(self.url("/transfers"), criteria)

    def given_up(self, seconds: float, reason: ReasonCode | None = None) -> str:
        """Return the list of what was given up lately, and is still in quarantine."""
        return self.transfers(
            state=TransferState.QUARANTINED, reason=reason, ended_within=int(seconds)
        )

    def problem(self, problem: NeedsHand) -> str | None:
        """Return where a problem is shown; None if no page has it."""
        if problem.code is ProblemCode.QUARANTINED:
            return self.given_up(RECENT_FAILURES.total_seconds())
        phase = _OF_QUEUES.get(problem.code)
        if phase is not None and problem.queue is not None:
            is_listed = work_of_queue(problem.queue)[0] in OF_TRANSFERS
            return self.transfers(queue=problem.queue, phase=phase) if is_listed else None
        place = _PLACES.get(problem.code)
        return None if place is None else f"{self.root}{place}"


def _with_query(path: str, query: Mapping[str, object]) -> str:
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path
