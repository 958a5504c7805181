"""One artifact that cannot be had is one failed row: the others are done, and the table is there.

The table of commands decides which are tested, so that a new command is not forgotten.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import boto3
import pytest
from sqlalchemy import Engine

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.keys import file_name
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.worker.s3.client import make_client
from artifact_pipeline.worker.workspace import DownloadDirectory
from artifact_pipeline.worker.workspace.target import Target
from tests.cli.commands import Answer, Command
from tests.cli.file_sizes import files_up_to
from tests.cli.shelf import INPUT, LOGS, NAMES, OF_13, RESULTS, RUN_CONFIG, Shelf, zip_of
from tests.cli.tree import commands
from tests.stores.refusing_objects import AWAY, DENIED, SSE_C, Refusals, refusing_store

pytestmark = pytest.mark.usefixtures("no_backoff")

OLD = "old/job_config.json"
"""The key of the config, which no listing of the job shows."""
ARCHIVE = ("--all-kinds", "--storage-class", "GLACIER_IR")
MANY: dict[str, tuple[str, ...]] = {
    "jobs uploads list": (),
    "jobs uploads list --members": (),
    "jobs uploads download": (),
    "jobs uploads download --extract": (),
    "jobs uploads download --member *": (),
    "jobs uploads archive": ARCHIVE,
    "jobs uploads archive --dry-run": ARCHIVE,
    "jobs uploads relocate": (),
    "jobs uploads verify": (),
    "jobs uploads verify --deep": (),
    "jobs uploads relocate --dry-run": (),
    "jobs uploads relocate --delete-old --only-database": (),
}
"""The commands that look at many artifacts in the bucket, with what else they are given."""
OF_ZIPS = ("jobs uploads list --members", "jobs uploads download --member *")
FROM_A_LIST = (
    *("jobs uploads list", "jobs uploads archive --dry-run"),
    *("jobs uploads relocate --dry-run",),
)
"""They ask nothing of an object that one LIST has shown."""
OTHERS = {
    "one artifact": {"jobs results upload", "jobs uploads cat", "jobs uploads url"},
    "the workspace": {"batch preview"},
    "only SQL": {
        *("batch start", "batch status", "batch list", "batch pause", "batch resume"),
        *("batch change", "batch cancel", "batch report", "db upgrade", "jobs list", "jobs info"),
        *("jobs status", "jobs upload", "jobs cancel", "quarantine list", "quarantine retry"),
        *("quarantine discard", "transfers list", "transfers show", "history", "jobs hold list"),
        *("jobs uploads undelete", "db prune"),
        "metrics",
        *("retention set", "retention list", "retention remove", "retention preview"),
        *("events list", "events redeliver", "events discard"),
    },
    "the broker": {"messages list", "messages show", "messages discard", "messages restore"},
    "the whole store": {"audit", "db rebuild"},
    # Tests of their own, such as `test_uploads_restore.py` and `test_retention_apply.py`.
    "what is archived": {"jobs uploads restore"},
    "deletions and locks": {
        *("jobs uploads delete", "orphans delete", "jobs hold set", "jobs hold release"),
    },
    "what is old enough": {"retention apply"},
    "no artifact": {
        "jobs manifest",
        *("health live", "health ready", "status", "demo", "dev", "doctor"),
        *("store init", "workspace init", "workspace show", "agent", "web"),
        *("workers", "workspaces list", "workspaces forget"),
    },
}


def test_every_command_is_in_one_of_the_tables() -> None:
    of_many = {line.partition(" --")[0] for line in MANY}
    others = [path for paths in OTHERS.values() for path in paths]
    assert sorted([*of_many, *others]) == sorted(path for path, _ in commands())


@pytest.fixture
def refusals() -> Iterator[Refusals]:
    with refusing_store() as refusals:
        yield refusals


@pytest.fixture
def shelf(database: Engine, refusals: Refusals, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Job 12: what is recorded, an old input, and a config in a place of its own."""
    del refusals  # it serves the bucket
    for name, value in {
        "ARTIFACTS_BUCKET": "shelf",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = make_client(None, threads=2, session=boto3.Session(), bucket="shelf")
    client.create_bucket(Bucket="shelf")
    shelf = Shelf(engine=database, client=client, bucket="shelf", url="")
    client.put_object(Bucket="shelf", Key=OLD, Body=b"{}")
    shelf.keep_location(f"s3://shelf/{OLD}")
    shelf.put_old(INPUT, zip_of({"deep/input.csv": b"input"}))
    shelf.record(RUN_CONFIG, b"run config")
    shelf.record(RESULTS, zip_of({"RUN1/out.csv": b"x" * 50_000}))
    shelf.record(Artifact(ArtifactKind.RUN_RESULTS, 12, 5), zip_of({"RUN1/out.csv": b"1"}))
    return shelf


def run(artifacts: Command, line: str, output: Path) -> Answer:
    into = ("--output-dir", str(output)) if "download" in line else ()
    words = line.split()
    return artifacts(*words[:3], "12", *words[3:], *MANY[line], *into, "--json")


def failed(answer: Answer) -> dict[str, str]:
    """Return the error of each file that has one, of an answer that is valid JSON."""
    assert "Traceback" not in answer.err
    return {name_of(row): row["error"] for row in answer.json if row["error"]}


def done(answer: Answer) -> set[str]:
    return {name_of(row) for row in answer.json if not row["error"]}


def name_of(row: dict[str, Any]) -> str:
    run_id = row["run_id"]
    return file_name(Artifact(ArtifactKind(row["kind"]), 12, run_id))


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("line", MANY)
def test_the_others_are_done(
    artifacts: Command, refusals: Refusals, tmp_path: Path, line: str
) -> None:
    # Given a location that S3 does not answer for, an object that it denies, and a large file
    refusals.answers = {OLD: SSE_C, NAMES[INPUT]: DENIED}
    # When
    with files_up_to(1000) if "download" in line else nullcontext():
        answer = run(artifacts, line, tmp_path)
    # Then each bad one is named, with its place and the reason
    expected: dict[str, str | None] = {
        "job_config.json": None if line in OF_ZIPS else "HeadObject: InvalidRequest. Is the object",
        NAMES[INPUT]: None if line in FROM_A_LIST else "",
        NAMES[RESULTS]: "File too large" if "download" in line else None,
    }
    assert answer.status == 1
    errors = failed(answer)
    assert set(errors) == {name for name, said in expected.items() if said is not None}
    assert all((expected[name] or "") in error for name, error in errors.items())
    assert line in OF_ZIPS or f"s3://shelf/{OLD}" in answer.out
    # And the rest is done
    assert "run_5_results.zip" in done(answer) or "relocate" in line


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("line", ["jobs uploads list", "jobs uploads download"])
def test_a_location_whose_s3_is_away(
    artifacts: Command, refusals: Refusals, tmp_path: Path, line: str
) -> None:
    refusals.answers[OLD] = AWAY
    answer = run(artifacts, line, tmp_path)
    assert (answer.status, list(failed(answer))) == (1, ["job_config.json"])
    assert NAMES[INPUT] in done(answer)


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.ENAMETOOLONG, errno.EACCES, errno.ENOTTY])
def test_a_file_that_the_file_system_refuses(
    artifacts: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    # Given
    pwrite = os.pwrite

    def refuse(file: int, data: bytes, at: int) -> int:
        if NAMES[RESULTS] in str(Path(f"/proc/self/fd/{file}").readlink()):
            raise OSError(number, os.strerror(number))
        return pwrite(file, data, at)

    monkeypatch.setattr(os, "pwrite", refuse)
    # When
    answer = run(artifacts, "jobs uploads download", tmp_path)
    # Then
    assert (answer.status, list(failed(answer))) == (1, [NAMES[RESULTS]])
    assert NAMES[INPUT] in done(answer)


@pytest.mark.usefixtures("shelf")
def test_an_error_of_the_system_that_no_adapter_knows(
    artifacts: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    original = DownloadDirectory.target

    def target(directory: DownloadDirectory, artifact: Artifact) -> Target:
        if artifact == RESULTS:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return original(directory, artifact)

    monkeypatch.setattr(DownloadDirectory, "target", target)
    # When
    answer = run(artifacts, "jobs uploads download", tmp_path)
    # Then
    assert (answer.status, failed(answer)) == (1, {NAMES[RESULTS]: os.strerror(errno.EMFILE)})


@pytest.mark.parametrize("refusal", [SSE_C, DENIED, AWAY], ids=["400", "403", "503"])
def test_a_job_that_cannot_be_listed_is_one_row(
    artifacts: Command, shelf: Shelf, refusals: Refusals, refusal: tuple[int, str]
) -> None:
    # Given: job 12 comes first, and 14 last
    shelf.put_old(OF_13, b"logs")
    refusals.answers["jobs%2F12%2F"] = refusal
    # When
    answer = artifacts("jobs", "uploads", "relocate", "--all", "--json")
    # Then
    assert answer.status == 1
    rows = [(row["job_id"], row["kind"], row["outcome"]) for row in answer.json]
    assert rows == [(12, None, "failed"), (13, "run_logs", "copied")]
    assert refusal[1] in answer.json[0]["error"]


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("command", ["url", "cat"])
def test_a_command_for_one_artifact_names_its_place(
    artifacts: Command, refusals: Refusals, command: str
) -> None:
    refusals.answers[OLD] = SSE_C
    answer = artifacts("jobs", "uploads", command, "12", "--kind", "job_config")
    assert answer.status == 1
    assert answer.error.startswith(f"artifacts: s3://shelf/{OLD}: HeadObject: InvalidRequest. Is")


def test_a_bucket_with_versions_says_what_they_cost(artifacts: Command, shelf: Shelf) -> None:
    # Given
    shelf.client.put_bucket_versioning(
        Bucket=shelf.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    shelf.put(LOGS, b"logs")
    # When
    answer = artifacts("jobs", "uploads", "archive", "12", "--kind", "run_logs")
    # Then
    assert "old versions: 1 (4 bytes) are kept by the bucket and cost as before" in answer.out
