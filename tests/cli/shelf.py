"""What the commands find in the bucket, and what is recorded of it."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mypy_boto3_s3 import S3Client
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from artifact_pipeline.domain.model.artifacts import Artifact, StoredArtifact
from artifact_pipeline.domain.model.keys import file_name
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.preconditions import Create
from artifact_pipeline.worker.sql.artifacts import SqlArtifacts
from artifact_pipeline.worker.sql.platform_tables import JobRow
from tests.s3.steps import Progress, source_of, store_of

CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
INPUT = Artifact(ArtifactKind.JOB_INPUT, 12)
RUN_CONFIG = Artifact(ArtifactKind.RUN_CONFIG, 12, 4)
RESULTS = Artifact(ArtifactKind.RUN_RESULTS, 12, 4)
LOGS = Artifact(ArtifactKind.RUN_LOGS, 12, 5)
OF_13 = Artifact(ArtifactKind.RUN_LOGS, 13, 7)
NAMES = {
    CONFIG: "job_config.json",
    INPUT: "job_input.zip",
    RUN_CONFIG: "run_4_config.json",
    RESULTS: "run_4_results.zip",
    LOGS: "run_5_logs.log",
    OF_13: "run_7_logs.log",
}
"""Of the files, in the bucket and after a download."""
RESULT_FILES = {"RUN1/out.csv": b"1", "RUN2/out.csv": b"2"}
ALL = (CONFIG, INPUT, RUN_CONFIG, RESULTS, LOGS)
"""What `stock` puts there."""


@dataclass(frozen=True)
class Shelf:
    engine: Engine
    client: S3Client
    bucket: str
    url: str

    def put(self, artifact: Artifact, content: bytes, **options: str) -> str:
        """Under the job's creation time, and not recorded. Returns: the key."""
        return self._put(key_of(artifact), content, **options)

    def put_old(self, artifact: Artifact, content: bytes, day: int = 1) -> str:
        """Where an upload of that day of November has put it. Returns: the key."""
        key = f"jobs/{artifact.job_id}/2025/11/{day:02}/093000/{NAMES[artifact]}"
        return self._put(key, content)

    def record(self, artifact: Artifact, content: bytes) -> str:
        """There, and recorded, as a worker leaves it. Returns: the key."""
        store = store_of(self.client, self.bucket)
        stored = store.put(
            key_of(artifact),
            source_of(content),
            content_type=artifact.kind.content_type,
            metadata=artifact.metadata,
            precondition=Create(),
            progress=Progress(),
        )
        row = StoredArtifact(artifact=artifact, object=stored, stored_at=datetime.now(UTC))
        SqlArtifacts(self.engine).record(row, store.location(stored.key), None)
        return stored.key

    def keep_location(self, url: str) -> None:
        """As the platform's row of job 12 has it, for the config."""
        with Session(self.engine) as session, session.begin():
            session.execute(update(JobRow).where(JobRow.id == 12).values(config_location=url))

    def body(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def storage_class(self, artifact: Artifact) -> str:
        head = self.client.head_object(Bucket=self.bucket, Key=key_of(artifact))
        return head.get("StorageClass", "STANDARD")

    def keys(self) -> set[str]:
        listed = self.client.list_objects_v2(Bucket=self.bucket)
        return {item["Key"] for item in listed.get("Contents", [])}

    def stored(self, artifact: Artifact) -> StoredArtifact:
        row = SqlArtifacts(self.engine).find(artifact)
        assert row is not None
        return row

    def _put(self, key: str, content: bytes, **options: str) -> str:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content, **options)  # type: ignore[arg-type]  # by name
        return key


def key_of(artifact: Artifact) -> str:
    return f"jobs/{artifact.job_id}/2025/10/23/211500/{file_name(artifact)}"


def zip_of(files: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return content.getvalue()


def stock(shelf: Shelf) -> None:
    """Put everything of job 12 there, recorded or not, under its key or an old one."""
    shelf.record(CONFIG, b"config")
    shelf.put(INPUT, zip_of({"deep/input.csv": b"input"}))
    shelf.put(RUN_CONFIG, b"run config")
    shelf.record(RESULTS, zip_of(RESULT_FILES))
    shelf.put_old(LOGS, b"logs")


def files(output: Path) -> dict[str, bytes]:
    found = (path for path in output.rglob("*") if path.is_file())
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in found}
