"""Every endpoint of the API. The OpenAPI document is made from this table."""

from artifact_pipeline.worker.web.api import handlers
from artifact_pipeline.worker.web.api.endpoints import Endpoint
from artifact_pipeline.worker.web.api.models import batches as of_batches
from artifact_pipeline.worker.web.api.models import content as of_content
from artifact_pipeline.worker.web.api.models import jobs as of_jobs
from artifact_pipeline.worker.web.api.models import quarantine as of_quarantine
from artifact_pipeline.worker.web.api.models import system as of_system
from artifact_pipeline.worker.web.api.models import transfers as of_transfers
from artifact_pipeline.worker.web.api.models.overview import Overview
from artifact_pipeline.worker.web.api.models.system import Role

ROOT = handlers.ROOT
_ARTIFACT = "/jobs/{job_id}/artifacts/{kind}"
_BYTES = "application/octet-stream"

_OVERVIEW = (
    Endpoint(
        path="/session",
        name="session",
        summary="Who asks, and the token that each POST needs.",
        handle=handlers.session,
        answer=of_system.Session,
    ),
    Endpoint(
        path="/overview",
        name="overview",
        summary="The pipeline at a glance.",
        handle=handlers.overview,
        answer=Overview,
    ),
    Endpoint(
        path="/events",
        name="events",
        summary="The overview each second, as server-sent events named `overview`.",
        handle=handlers.events,
        media_type="text/event-stream",
    ),
    Endpoint(
        path="/system",
        name="system",
        summary="Findings of the doctor, workers, leases, settings and dead letters.",
        handle=handlers.system,
        answer=of_system.System,
    ),
    Endpoint(
        path="/audit",
        name="audit",
        summary="What operators did, the newest first.",
        handle=handlers.trail,
        query=of_system.TrailQuery,
        answer=of_system.Trail,
    ),
)

_JOBS = (
    Endpoint(
        path="/jobs",
        name="jobs",
        summary="Search jobs, the newest first.",
        handle=handlers.jobs,
        query=of_jobs.JobsQuery,
        answer=of_jobs.JobsPage,
    ),
    Endpoint(
        path="/jobs/{job_id}",
        name="job",
        summary="A job's directory as a tree, and its transfers with their timelines.",
        handle=handlers.job,
        query=of_jobs.JobQuery,
        answer=of_jobs.Job,
    ),
    Endpoint(
        path="/jobs/{job_id}/history",
        name="job_history",
        summary="Who did what with the job's artifacts, the newest first.",
        handle=handlers.job_history,
        query=of_system.HistoryQuery,
        answer=of_system.JobHistory,
    ),
    Endpoint(
        path="/jobs/{job_id}/objects",
        name="job_objects",
        summary="What the store has of the job, for one LIST.",
        handle=handlers.job_objects,
        answer=of_content.Listing,
    ),
    Endpoint(
        path=f"{_ARTIFACT}/download",
        name="download",
        summary="A URL to download an artifact from, which expires soon.",
        handle=handlers.download,
        method="POST",
        query=of_content.ArtifactQuery,
        answer=of_content.Download,
    ),
    Endpoint(
        path=f"{_ARTIFACT}/content",
        name="content",
        summary="The bytes of an artifact.",
        handle=handlers.content,
        query=of_content.ArtifactQuery,
        media_type=_BYTES,
    ),
    Endpoint(
        path=f"{_ARTIFACT}/preview",
        name="preview",
        summary="The first bytes of an artifact, as text.",
        handle=handlers.preview,
        query=of_content.PreviewQuery,
        answer=of_content.Preview,
    ),
    Endpoint(
        path=f"{_ARTIFACT}/members",
        name="members",
        summary="The members of a zip, of which the list of members alone is read.",
        handle=handlers.members,
        query=of_content.MembersQuery,
        answer=of_content.Members,
    ),
    Endpoint(
        path=f"{_ARTIFACT}/members/content",
        name="member_content",
        summary="The bytes of a zip's member.",
        handle=handlers.member_content,
        query=of_content.MemberQuery,
        media_type=_BYTES,
    ),
    Endpoint(
        path=f"{_ARTIFACT}/members/preview",
        name="member_preview",
        summary="The first bytes of a zip's member, as text.",
        handle=handlers.member_preview,
        query=of_content.MemberPreviewQuery,
        answer=of_content.Preview,
    ),
)

_TRANSFERS = (
    Endpoint(
        path="/transfers",
        name="transfers",
        summary="Transfers of all jobs, the newest first.",
        handle=handlers.transfers,
        query=of_transfers.TransfersQuery,
        answer=of_transfers.TransfersPage,
    ),
)

_BATCHES = (
    Endpoint(
        path="/batches",
        name="batches",
        summary="Batches and snapshots, the newest first.",
        handle=handlers.batches,
        query=of_batches.BatchesQuery,
        answer=of_batches.BatchesPage,
    ),
    Endpoint(
        path="/batches",
        name="new_batch",
        summary="Freeze the artifacts that fit a filter as a snapshot, and show what they are.",
        handle=handlers.new_batch,
        method="POST",
        body=of_batches.NewBatch,
        answer=of_batches.BatchPreview,
        role=Role.OPERATOR,
    ),
    Endpoint(
        path="/batches/{batch_id}",
        name="batch",
        summary="A batch with its progress.",
        handle=handlers.batch,
        answer=of_batches.Batch,
    ),
    Endpoint(
        path="/batches/{batch_id}/preview",
        name="batch_preview",
        summary="What a snapshot has frozen.",
        handle=handlers.batch_preview,
        answer=of_batches.BatchPreview,
    ),
    Endpoint(
        path="/batches/{batch_id}/members",
        name="batch_members",
        summary="Members in their order, with what became of them.",
        handle=handlers.batch_members,
        query=of_batches.MembersQuery,
        answer=of_batches.BatchMembers,
    ),
    Endpoint(
        path="/batches/{batch_id}/report",
        name="batch_report",
        summary="A line for each member.",
        handle=handlers.batch_report,
        media_type="text/csv",
    ),
    *(
        Endpoint(
            path=f"/batches/{{batch_id}}/{action}",
            name=f"{action}_batch",
            summary=summary,
            handle=handle,
            method="POST",
            body=body,
            answer=answer,
            role=Role.OPERATOR,
        )
        for action, summary, handle, body, answer in (
            (
                "start",
                "Have the members of a snapshot transferred.",
                handlers.start_batch,
                of_batches.StartBatch,
                of_batches.BatchRow,
            ),
            (
                "pause",
                "Stop releasing members; what is under way is finished.",
                handlers.pause_batch,
                of_batches.ActOnBatch,
                of_batches.BatchRow,
            ),
            (
                "resume",
                "Continue a paused batch.",
                handlers.resume_batch,
                of_batches.ActOnBatch,
                of_batches.BatchRow,
            ),
            (
                "change",
                "Change the pace of a batch.",
                handlers.change_batch,
                of_batches.ChangeBatch,
                of_batches.BatchRow,
            ),
            (
                "cancel",
                "End a batch, and stop its transfers.",
                handlers.cancel_batch,
                of_batches.ActOnBatch,
                of_batches.CancelledBatch,
            ),
        )
    ),
)

_QUARANTINE = (
    Endpoint(
        path="/quarantine",
        name="quarantine",
        summary="Quarantined transfers by their reason, each with what to do.",
        handle=handlers.quarantine,
        answer=of_quarantine.Quarantine,
    ),
    Endpoint(
        path="/quarantine/transfers",
        name="quarantined",
        summary="Quarantined transfers, the last one that was given up first.",
        handle=handlers.quarantined,
        query=of_quarantine.QuarantineQuery,
        answer=of_quarantine.QuarantinedPage,
    ),
    Endpoint(
        path="/quarantine/selection",
        name="selection",
        summary="How many transfers an action would change, and the token that it needs.",
        handle=handlers.selection,
        query=of_quarantine.SelectionQuery,
        answer=of_quarantine.QuarantineSelection,
    ),
    Endpoint(
        path="/quarantine/retry",
        name="retry",
        summary="Try the transfers of a selection again.",
        handle=handlers.retry,
        method="POST",
        body=of_quarantine.QuarantineAction,
        answer=of_quarantine.QuarantineOutcome,
        role=Role.OPERATOR,
    ),
    Endpoint(
        path="/quarantine/discard",
        name="discard",
        summary="Cancel the transfers of a selection for good.",
        handle=handlers.discard,
        method="POST",
        body=of_quarantine.QuarantineAction,
        answer=of_quarantine.QuarantineOutcome,
        role=Role.OPERATOR,
    ),
)

ENDPOINTS = (*_OVERVIEW, *_JOBS, *_TRANSFERS, *_BATCHES, *_QUARANTINE)
