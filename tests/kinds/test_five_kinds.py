"""What rows, objects, messages and people rely on for the first five kinds, as literals.

Nothing here is derived: a change of the table of kinds that breaks a stored row, an object in a
bucket, a message in flight or a script shows as a failure of this module.
"""

from pathlib import Path
from typing import Any

import pytest

from artifact_pipeline import celeryconfig
from artifact_pipeline.domain.catalog.platform_records import (
    JOB_FIELDS,
    LOCATION_FIELDS,
    RUN_FIELDS,
)
from artifact_pipeline.domain.fakes.storage import InMemoryWorkspace
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.job_uploads import JobUpload
from artifact_pipeline.domain.model.jobs import Job, Run
from artifact_pipeline.domain.model.keys import artifact_named, file_name
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction
from artifact_pipeline.domain.platform.archiving import ARCHIVED_KINDS
from artifact_pipeline.domain.platform.calls import get_job_uploads
from artifact_pipeline.domain.platform.submissions import USE_CASES
from artifact_pipeline.domain.transfers.confirm_upload import RequestConfirmations
from artifact_pipeline.tasks import downloads, uploads
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.routing import TRANSFER_TASKS, queue_of, task_name
from artifact_pipeline.worker.cli.jobs.uploads import archive
from artifact_pipeline.worker.cli.jobs.uploads.members import ZIPS
from artifact_pipeline.worker.sql import grants
from artifact_pipeline.worker.sql.migrations.checks import run_fits_kind
from artifact_pipeline.worker.sql.platform import WRITTEN
from artifact_pipeline.worker.sql.transfers import predicates as conditions
from artifact_pipeline.worker.workspace import DownloadDirectory, Workspace
from artifact_pipeline.worker.workspace.places import download_place, source_place
from tests.domain.producing import ProducingWorld

KINDS = {
    "job_config": {
        "run": False,
        "content_type": "application/json",
        "file": "job_config.json",
        "source": "job_config.json",
        "unpacked": "job_config",
        "queue": "configs",
        "column": "config_location",
    },
    "job_input": {
        "run": False,
        "content_type": "application/zip",
        "file": "job_input.zip",
        "source": "job_input.zip",
        "unpacked": "job_input",
        "queue": "results",
        "column": "input_location",
    },
    "run_config": {
        "run": True,
        "content_type": "application/json",
        "file": "run_4_config.json",
        "source": "run_4_config.json",
        "unpacked": "run_4_config",
        "queue": "configs",
        "column": "config_url",
    },
    "run_results": {
        "run": True,
        "content_type": "application/zip",
        "file": "run_4_results.zip",
        "source": "OUT/run_4",
        "unpacked": "OUT/run_4",
        "queue": "results",
        "column": "results_url",
    },
    "run_logs": {
        "run": True,
        "content_type": "text/plain; charset=utf-8",
        "file": "run_4_logs.log",
        "source": "run_4_logs.log",
        "unpacked": "run_4_logs",
        "queue": "results",
        "column": None,
    },
}
EACH = pytest.mark.parametrize("name", KINDS)
IMPORTED = {
    *("upload_job_config", "upload_job_input", "upload_run_config"),
    *("upload_run_results", "upload_run_logs"),
    *("download_job_config", "download_job_input", "download_run_config"),
    *("download_run_results", "download_run_logs"),
}


def artifact(name: str) -> Artifact:
    return Artifact(ArtifactKind(name), 12, 4 if KINDS[name]["run"] else None)


def test_the_five_come_first_and_in_this_order() -> None:
    # `artifacts status` shows them in it
    assert [kind.value for kind in ArtifactKind][:5] == list(KINDS)


@EACH
class TestKind:
    def test_its_scope_and_content_type(self, name: str) -> None:
        assert artifact(name).kind.belongs_to_run is KINDS[name]["run"]
        assert artifact(name).kind.content_type == KINDS[name]["content_type"]

    def test_its_file_name_is_read_back(self, name: str) -> None:
        assert file_name(artifact(name)) == KINDS[name]["file"]
        assert artifact_named(12, str(KINDS[name]["file"])) == artifact(name)

    def test_its_places(self, name: str) -> None:
        assert source_place(artifact(name)) == KINDS[name]["source"]
        assert download_place(artifact(name)) == KINDS[name]["file"]
        assert Workspace(Path("/srv")).path(artifact(name)) == Path(
            f"/srv/job_12/{KINDS[name]['source']}"
        )

    def test_where_it_is_unpacked(self, name: str) -> None:
        directory = DownloadDirectory(Path("/srv"))
        assert directory.extraction(artifact(name)).into.as_posix() == KINDS[name]["unpacked"]

    def test_its_queue_and_tasks(self, name: str) -> None:
        kind = artifact(name).kind
        assert queue_of(kind) == KINDS[name]["queue"]
        assert celeryconfig.task_routes[f"artifacts.*_{name}"] == {"queue": KINDS[name]["queue"]}
        for direction in (Direction.UPLOAD, Direction.DOWNLOAD):
            assert task_name(direction, kind) == f"artifacts.{direction}_{name}"
            assert TRANSFER_TASKS[f"artifacts.{direction}_{name}"] == (direction, kind)

    def test_the_column_of_the_platform(self, name: str) -> None:
        assert LOCATION_FIELDS.get(artifact(name).kind) == KINDS[name]["column"]

    def test_whether_the_fake_knows_its_size_beforehand(self, name: str) -> None:
        source = InMemoryWorkspace({artifact(name): b"bytes"}).source(artifact(name))
        assert source.exact_size == (None if name == "run_results" else 5)

    def test_its_words_on_the_platform(self, name: str) -> None:
        context, _, upload_type = name.partition("_")
        upload = JobUpload(context, upload_type, 12, artifact(name).run_id)
        assert upload.kind is artifact(name).kind


@pytest.mark.parametrize("name", sorted(IMPORTED))
def test_each_task_has_its_name_and_arguments_and_can_be_imported(name: str) -> None:
    # Given
    app = make_app("redis://broker.invalid")
    module = uploads if name.startswith("upload_") else downloads
    # When
    task: Any = app.tasks[f"artifacts.{name}"]
    # Then
    run = ["run_id"] if "_run_" in name else []
    assert list(task.arguments.model_fields) == ["job_id", *run]
    assert type(task).__name__ == name
    assert hasattr(module, name)


def test_the_columns_of_each_table_in_order() -> None:
    assert JOB_FIELDS[:2] == ("config_location", "input_location")
    assert RUN_FIELDS[:2] == ("config_url", "results_url")


def test_the_columns_that_are_written_and_read() -> None:
    assert set(map(str, WRITTEN)) >= {
        "JobRow.config_location",
        "JobRow.input_location",
        "RunRow.config_url",
        "RunRow.results_url",
        "JobRow.updated_at",
        "RunRow.updated_at",
        "RunRow.results_uploaded_at",
        "RunRow.status",
    }
    assert set(map(str, grants._READ)) >= {
        "JobRow.id",
        "JobRow.user_id",
        "JobRow.status",
        "JobRow.created_at",
        "JobRow.tags",
        "JobRow.config_location",
        "JobRow.input_location",
        "RunRow.id",
        "RunRow.job_id",
        "RunRow.status",
        "RunRow.config_url",
        "RunRow.results_url",
    }


def test_the_rule_of_well_formed_rows() -> None:
    condition = conditions.is_well_formed().compile(compile_kwargs={"literal_binds": True})
    assert "kind IN ('run_config', 'run_results', 'run_logs'" in str(condition)
    assert "kind IN ('job_config', 'job_input'" in str(condition)


def test_what_is_archived_without_being_named() -> None:
    archived = [kind for kind in ARCHIVED_KINDS if kind in KINDS]
    others = [ArtifactKind(name) for name in KINDS if ArtifactKind(name) not in ARCHIVED_KINDS]
    assert archived == ["job_config", "job_input", "run_config"]
    assert archive._titles(archived) == "configs and inputs"
    assert archive._titles(others) == "results and logs"


def test_which_are_zips_in_the_order_of_the_message() -> None:
    assert [kind for kind in ZIPS if kind in KINDS] == ["run_results", "job_input"]


def test_the_use_case_of_each() -> None:
    use_cases = {
        "job_input": "submit_job",
        "job_config": "submit_job_config",
        "run_config": "submit_run_config",
        "run_results": "upload_results",
    }
    assert use_cases.items() <= {**USE_CASES}.items()


def test_the_platforms_uploads_in_its_order() -> None:
    # Given
    url = "https://bucket.s3.amazonaws.com/key"
    world = ProducingWorld()
    job = Job(12, world.jobs.get(12).created_at, config_location=url, input_location=url)
    world.jobs.rows = {12: job}
    world.runs.rows = {4: Run(4, 12, config_url=url, results_url=url)}
    # When
    kept = get_job_uploads(world.jobs, world.runs, 12)
    # Then
    assert [upload.kind.value for upload in kept] == ["job_input", "job_config", "run_config"]


def test_what_a_client_may_confirm() -> None:
    # Given
    asked: list[str] = []

    class Kinds:
        def location(self, artifact: Artifact) -> None:
            asked.append(artifact.kind.value)

    confirm = RequestConfirmations.__new__(RequestConfirmations)
    object.__setattr__(confirm, "placement", Kinds())
    # When
    for run_id in (None, 4):
        with pytest.raises(Exception, match="no upload URL was given"):
            confirm._request(12, run_id)
    # Then
    assert asked == ["job_config", "job_input", "run_config"]


def test_the_constraint_of_the_tables() -> None:
    condition = run_fits_kind(("job_config", "job_input"), ("run_config", "run_logs"))
    assert condition.format("NEW.") == (
        "(NEW.kind IN ('job_config', 'job_input') AND NEW.run_id IS NULL)"
        " OR (NEW.kind IN ('run_config', 'run_logs')"
        " AND NEW.run_id IS NOT NULL AND NEW.run_id > 0)"
    )
