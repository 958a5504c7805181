"""The checks of the probe, and the promises that they support, as docs/stores.md lists them."""

from collections.abc import Callable
from dataclasses import dataclass

from artifact_pipeline.worker.diagnosis.probe import (
    checksums as probe_checksums,
)
from artifact_pipeline.worker.diagnosis.probe import (
    parts as probe_parts,
)
from artifact_pipeline.worker.diagnosis.probe import (
    reads as probe_reads,
)
from artifact_pipeline.worker.diagnosis.probe import (
    tags as probe_tags,
)
from artifact_pipeline.worker.diagnosis.probe import (
    writes as probe_writes,
)
from artifact_pipeline.worker.diagnosis.probe.outcomes import Outcome
from artifact_pipeline.worker.diagnosis.probe.store import Probe
from artifact_pipeline.worker.s3.encryption import Encryption

_FENCE = "a worker that finishes late does not replace what its successor stored"
_STORED = "what is recorded as stored is stored: the store refuses other bytes"
_CONTINUED = "interrupted work continues with the parts that the store has"
_READ = "what is downloaded is compared with what was stored"
_ONE_OBJECT = "a download and a copy are of one object, even if it is replaced in between"
_PREFIX = "every artifact of a job is under one prefix, and listed with it"
_URL = "a client needs nothing but its URL"


@dataclass(frozen=True, slots=True)
class WayAround:
    """A setting that does without an ability of the store.

    Attributes:
        setting: an assignment, with every value that does without it.
        weakens: what is promised no longer; empty where only time or requests are lost.
        costs: what it costs; empty where a promise is weaker.
    """

    setting: str
    weakens: str = ""
    costs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question to the store.

    Attributes:
        name: of the finding.
        asks: the operation, and the answer that is expected.
        promise: what does not hold where the answer is another one.
        way_around: the setting that helps, if one does.
        otherwise: what to do where no setting helps.
    """

    name: str
    asks: str
    promise: str
    run: Callable[[Probe], Outcome]
    way_around: WayAround | None = None
    otherwise: str = "use another store, or a newer version of it"


FENCED_BY_SQL = WayAround(
    "ARTIFACTS_S3_CONDITIONAL_WRITES=false",
    weakens="SQL alone fences workers: a worker that stalls between its last check and its PUT can"
    " replace what its successor stored",
)
OTHER_CHECKSUM = WayAround(
    "ARTIFACTS_S3_CHECKSUM=md5|crc32c|read-back",
    costs="md5 and crc32c detect damage in transit, but are no SHA-256; read-back fetches every"
    " object once after its upload, and a wrong object stays at its key until the next attempt",
)
NO_ETAGS = WayAround(
    "ARTIFACTS_S3_CHECKSUM=read-back",
    costs="every object is fetched once after its upload; if a client has put an object without a"
    " checksum, a download compares only its size",
)
WORKER_COPIES = WayAround(
    "ARTIFACTS_S3_COPIES=worker",
    costs="the bytes of a relocation or an archived artifact go through the worker",
)
OTHER_DELETES = WayAround(
    "ARTIFACTS_S3_DELETES=md5|single",
    costs="single sends one request for each object",
)
WAYS_AROUND = (FENCED_BY_SQL, OTHER_CHECKSUM, NO_ETAGS, WORKER_COPIES, OTHER_DELETES)
"""In docs/stores.md each has a row."""

CHECKS = (
    Check(
        name="probe encryption",
        asks="PutObject and CreateMultipartUpload with the encryption of the settings; HEAD has it",
        promise="objects are encrypted as the settings ask",
        run=probe_writes.encryption,
        otherwise=Encryption().remedy,
    ),
    Check(
        name="probe If-None-Match",
        asks="PutObject twice with If-None-Match: *; the second answers 412",
        promise=_FENCE,
        run=probe_writes.if_none_match,
        way_around=FENCED_BY_SQL,
    ),
    Check(
        name="probe If-Match",
        asks="PutObject with a wrong If-Match answers 412, with the right one 200",
        promise=_FENCE,
        run=probe_writes.if_match,
        way_around=FENCED_BY_SQL,
    ),
    Check(
        name="probe parts with If-None-Match",
        asks="CompleteMultipartUpload twice with If-None-Match: *; the second answers 412",
        promise=_FENCE,
        run=probe_parts.complete_if_none_match,
        way_around=FENCED_BY_SQL,
    ),
    Check(
        name="probe parts with If-Match",
        asks="CompleteMultipartUpload with a wrong If-Match answers 412, with the right one 200",
        promise=_FENCE,
        run=probe_parts.complete_if_match,
        way_around=FENCED_BY_SQL,
    ),
    Check(
        name="probe SHA-256 of a PUT",
        asks="PutObject with a wrong SHA-256 is refused",
        promise=_STORED,
        run=probe_checksums.of_put,
        way_around=OTHER_CHECKSUM,
    ),
    Check(
        name="probe SHA-256 of a part",
        asks="UploadPart with a wrong SHA-256 is refused",
        promise=_STORED,
        run=probe_checksums.of_part,
        way_around=OTHER_CHECKSUM,
    ),
    Check(
        name="probe multipart upload",
        asks="CreateMultipartUpload, two parts, CompleteMultipartUpload",
        promise="large artifacts are sent in parts",
        run=probe_parts.multipart,
    ),
    Check(
        name="probe listed parts",
        asks="ListParts answers the SHA-256 of each part",
        promise=_CONTINUED,
        run=probe_parts.listed_parts,
        way_around=OTHER_CHECKSUM,
        otherwise="nothing has to be done: an interrupted upload sends all its parts again",
    ),
    Check(
        name="probe composite checksum",
        asks="CompleteMultipartUpload and HEAD answer the SHA-256 of the parts' SHA-256",
        promise="an upload that was completed but not recorded is recognised, not sent again",
        run=probe_parts.composite_checksum,
        way_around=OTHER_CHECKSUM,
    ),
    Check(
        name="probe HEAD's checksum",
        asks="HEAD answers the SHA-256 of a PUT",
        promise="an upload that was stored but not recorded is recognised, not sent again",
        run=probe_checksums.of_head,
        way_around=OTHER_CHECKSUM,
    ),
    Check(
        name="probe ETags",
        asks="an ETag that looks like an MD5, or md5-N, is the digest of the bytes",
        promise=_READ,
        run=probe_parts.etags,
        way_around=NO_ETAGS,
    ),
    Check(
        name="probe metadata",
        asks="HEAD has the content type and the metadata of the PUT",
        promise="an object says which job's artifact it is",
        run=probe_writes.metadata,
    ),
    Check(
        name="probe tags",
        asks="PutObject with tags, and CreateMultipartUpload with tags or PutObjectTagging after"
        " it; GetObjectTagging has the same",
        promise="lifecycle rules find artifacts by ARTIFACTS_S3_TAGS",
        run=probe_tags.tags,
        otherwise="unset ARTIFACTS_S3_TAGS",
    ),
    Check(
        name="probe UploadPartCopy",
        asks="UploadPartCopy copies ranges, and refuses a source with another ETag",
        promise=_ONE_OBJECT,
        run=probe_parts.part_copy,
        way_around=WORKER_COPIES,
    ),
    Check(
        name="probe CopyObject",
        asks="CopyObject copies the bytes; the pipeline does not use it",
        promise="other tools can move artifacts",
        run=probe_parts.copy_object,
    ),
    Check(
        name="probe DeleteObjects",
        asks="DeleteObjects with a SHA-256 deletes several",
        promise="`relocate --delete-old` removes old copies",
        run=probe_reads.deletion,
        way_around=OTHER_DELETES,
    ),
    Check(
        name="probe open uploads",
        asks="ListMultipartUploads by prefix, in pages, has all, and none that was aborted",
        promise="reconcile finds and aborts abandoned uploads",
        run=probe_reads.open_uploads,
        otherwise="let a lifecycle rule of the bucket abort abandoned multipart uploads",
    ),
    Check(
        name="probe listing",
        asks="ListObjectsV2 in pages has what was just put, in the order of the keys",
        promise=_PREFIX,
        run=probe_reads.listing,
    ),
    Check(
        name="probe ranged GET",
        asks="GetObject of a range has those bytes, and goes by If-Match or answers the right ETag",
        promise=_ONE_OBJECT,
        run=probe_reads.ranged_read,
    ),
    Check(
        name="probe missing key",
        asks="HEAD of a missing key answers 404, or 403 where no listing has the key",
        promise="what is not stored is known not to be stored",
        run=probe_writes.missing,
    ),
    Check(
        name="probe presigned PUT",
        asks="a plain HTTP client puts by a presigned URL",
        promise=_URL,
        run=probe_reads.presigned_put,
        otherwise="let producers upload through workers",
    ),
    Check(
        name="probe presigned GET",
        asks="a plain HTTP client gets by a presigned URL",
        promise=_URL,
        run=probe_reads.presigned_get,
        otherwise="let clients download through the platform",
    ),
    Check(
        name="probe signature",
        asks="a presigned URL with a wrong signature is refused",
        promise="only who has a URL, and before it expires, can use it",
        run=probe_reads.signature,
        otherwise="turn on the store's authentication",
    ),
)
"""In the order in which they are run."""
