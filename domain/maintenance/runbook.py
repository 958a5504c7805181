"""What to do about transfers that were given up, by their reason: a line for each."""

from collections.abc import Mapping
from dataclasses import dataclass

from artifact_pipeline.domain.errors import PermanentError, TransferError
from artifact_pipeline.domain.reasons import ReasonCode

_RETRY = "then retry them"
_LINES: Mapping[ReasonCode, str] = {
    ReasonCode.UNKNOWN_JOB: "Did the producer's transaction commit? If the job exists now, retry;"
    " else discard.",
    ReasonCode.UNKNOWN_RUN: "Did the producer's transaction commit? If the run exists now, retry;"
    " else discard.",
    ReasonCode.RUN_OF_ANOTHER_JOB: "The producer asked with wrong ids: correct it, and discard.",
    ReasonCode.JOB_REPLACED: "Ask again for the new job, then discard these.",
    ReasonCode.DELETED: "`artifacts jobs uploads undelete` takes uploads again, then retry;"
    " else discard.",
    ReasonCode.LEGAL_HOLD: "The job is on hold: end the hold, or discard.",
    ReasonCode.SOURCE_MISSING: "Is the file in the workspace by now? Then retry; else discard.",
    ReasonCode.SOURCE_EMPTY: "Did the simulation write its results? If so, retry; else discard.",
    ReasonCode.SOURCE_INVALID: "The error names what a zip or the store cannot hold: fix it,"
    f" {_RETRY}.",
    ReasonCode.SOURCE_CHANGED: "Wait until the producer has ended, then retry.",
    ReasonCode.SOURCE_UNREADABLE: f"Correct the owner or the mode of the files, {_RETRY}.",
    ReasonCode.WORKSPACE_UNAVAILABLE: f"Mount the share on the workers, {_RETRY}.",
    ReasonCode.WORKSPACE_GONE: "Its files are gone too. If another workspace has copies, ask again"
    " from there. Then discard these.",
    ReasonCode.WORKSPACE_NOT_WRITABLE: f"Make room on the workspace, {_RETRY}.",
    ReasonCode.ACCESS_DENIED: "Compare credentials and policy with docs/iam; run"
    f" `artifacts doctor`, {_RETRY}.",
    ReasonCode.BUCKET_MISSING: f"Correct ARTIFACTS_BUCKET, or create the bucket, {_RETRY}.",
    ReasonCode.REFUSED_BY_STORE: "The error names what the store refuses: correct the setting,"
    f" {_RETRY}.",
    ReasonCode.UNSUPPORTED_BY_STORE: "`artifacts doctor --probe` shows what the store lacks, and"
    f" which setting turns it off, {_RETRY}.",
    ReasonCode.CHECKSUM_MISMATCH: "Look for broken memory or network on the worker, then retry.",
    ReasonCode.CHECKSUM_MISMATCH_TWICE: "Something corrupts bytes: test the worker's memory, its"
    f" network and the store, {_RETRY}.",
    ReasonCode.OBJECT_REPLACED: f"Who else writes to this key? Stop it, {_RETRY}.",
    ReasonCode.STORE_CONFLICT: f"Who else writes to this key? Stop it, {_RETRY}.",
    ReasonCode.ARTIFACT_MISSING: "`artifacts jobs uploads list` shows where it was looked for."
    " If it is nowhere, discard.",
    ReasonCode.ARCHIVED: f"`artifacts jobs uploads restore ID --days 7`, {_RETRY}.",
    ReasonCode.NOT_COPYABLE: f"The error names what a copy cannot keep: remove it, {_RETRY}.",
    ReasonCode.TARGET_EXISTS: f"Move the other file out of the way, {_RETRY}; or discard.",
    ReasonCode.TARGET_BUSY: "Wait for the other download, then retry.",
    ReasonCode.FILE_SYSTEM_LIMIT: "Use another file system for the download, and discard.",
    ReasonCode.UNSAFE_ARCHIVE: "Do not unpack it: look at the zip, and discard.",
    ReasonCode.UPLOAD_AWAITED: "The client has not uploaded yet: wait, or discard.",
    ReasonCode.NEVER_UPLOADED: "Have the client ask for a new upload URL, and discard.",
    ReasonCode.STORE_UNAVAILABLE: f"`artifacts health ready --only bucket` must succeed, {_RETRY}.",
    ReasonCode.STORE_BREAKER_OPEN: "Wait until the store answers again, then retry.",
    ReasonCode.SQL_UNAVAILABLE: f"`artifacts health ready --only database` must succeed, {_RETRY}.",
    ReasonCode.MISCONFIGURED: f"The error names a worker's setting: correct it, {_RETRY}.",
    ReasonCode.ATTEMPTS_EXHAUSTED: "The error is that of the last attempt: fix its cause,"
    f" {_RETRY}.",
    ReasonCode.POISONED: "Look for workers that were killed, such as by the OOM killer, before"
    " you retry.",
    ReasonCode.REVOKED: "An operator revoked the task: retry only if that was a mistake.",
    ReasonCode.UNEXPECTED: f"The worker's log has the frames: report them, {_RETRY}.",
}


@dataclass(frozen=True, slots=True)
class RunbookEntry:
    """What is known of a reason.

    Attributes:
        meaning: in one sentence.
        fix: what to do, in one line.
        is_permanent: a transfer is given up at the first failure of this kind.
    """

    meaning: str
    fix: str
    is_permanent: bool


def runbook(reason: ReasonCode) -> RunbookEntry:
    """Return the runbook's entry of a reason."""
    errors = list(_errors_of(TransferError, reason))
    meaning = " ".join((errors[0].__doc__ or "").split("\n\n")[0].split()) if errors else ""
    is_permanent = any(issubclass(each, PermanentError) for each in errors)
    return RunbookEntry(meaning, _LINES[reason], is_permanent)


def _errors_of(error: type[TransferError], reason: ReasonCode) -> list[type[TransferError]]:
    """Return the errors that have this reason themselves, and do not inherit it."""
    found = [error] if error.__dict__.get("reason") is reason else []
    for child in error.__subclasses__():
        found += _errors_of(child, reason)
    return found
