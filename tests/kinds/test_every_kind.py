"""Every kind has all that it takes to be asked for, moved, recorded, found and shown."""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import fields
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from celery import Celery
from sqlalchemy import Engine, String

from artifact_pipeline import celeryconfig
from artifact_pipeline.domain.catalog.platform_records import status_name
from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.job_uploads import JobUpload
from artifact_pipeline.domain.model.jobs import Job, Run
from artifact_pipeline.domain.model.keys import JobS3Prefix, artifact_at, file_name
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.platform.submissions import USE_CASES
from artifact_pipeline.tasks.app import make_app
from artifact_pipeline.tasks.arguments import JobArguments, RunArguments
from artifact_pipeline.tasks.routing import TRANSFER_TASKS, ids_of, queue_of, task_name
from artifact_pipeline.tasks.sendable import check_sendable
from artifact_pipeline.worker.demo.story import SCENES
from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.grants import PLATFORM_COLUMNS
from artifact_pipeline.worker.sql.platform import WRITTEN, SqlRuns
from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow
from artifact_pipeline.worker.sql.tables import ArtifactRow, MemberRow, TransferRow
from artifact_pipeline.worker.sql.transfers.repository import SqlTransfers
from artifact_pipeline.worker.workspace import DownloadDirectory, Workspace
from artifact_pipeline.worker.workspace.places import download_place, source_place
from tests.cli.tree import commands
from tests.domain.producing import ProducingWorld
from tests.domain.world import JOB
from tests.sql.steps import insert_job_with_run

MOVED = (Direction.UPLOAD, Direction.DOWNLOAD)
every_kind = pytest.mark.parametrize("kind", ArtifactKind)
every_task = pytest.mark.parametrize("direction", MOVED)


@pytest.fixture(scope="module")
def app() -> Celery:
    """Return an app with the modules of tasks that workers import."""
    app = make_app("redis://broker.invalid")
    app.loader.import_default_modules()
    return app


def artifact_of(kind: ArtifactKind) -> Artifact:
    return Artifact(kind, 12, 4 if kind.belongs_to_run else None)


ARTIFACTS = [artifact_of(kind) for kind in ArtifactKind]


@every_kind
class TestRow:
    def test_its_name_begins_with_its_scope_and_fits_the_columns(self, kind: ArtifactKind) -> None:
        assert kind.startswith(f"{kind.spec.scope}_")
        for table in (ArtifactRow, TransferRow, MemberRow):
            column = table.__table__.columns["kind"].type
            assert isinstance(column, String)
            assert len(kind) <= (column.length or 0)

    def test_its_file_name_has_the_run_if_it_belongs_to_one(self, kind: ArtifactKind) -> None:
        template = kind.spec.file_name
        assert ("{run_id}" in template) == kind.belongs_to_run
        assert template.startswith(f"{kind.spec.scope}_")
        assert "/" not in template

    def test_what_is_packed_is_a_zip_of_the_run(self, kind: ArtifactKind) -> None:
        if kind.is_packed:
            assert kind.is_zip
            assert "{run_id}" in (kind.spec.packed_from or "")

    def test_it_is_a_kind_of_the_platforms_uploads(self, kind: ArtifactKind) -> None:
        upload = JobUpload(kind.spec.scope, kind.upload_type, 12, artifact_of(kind).run_id)
        assert upload.artifact == artifact_of(kind)
        assert upload.is_run_upload() == kind.belongs_to_run


class TestPlaces:
    @every_kind
    def test_a_key_names_just_this_artifact(self, kind: ArtifactKind) -> None:
        key = JobS3Prefix.from_job(JOB).key(artifact_of(kind))
        assert artifact_at(key) == artifact_of(kind)

    @pytest.mark.parametrize("place", [file_name, source_place, download_place])
    def test_no_two_kinds_share_a_place(self, place: Callable[[Artifact], str]) -> None:
        # Given
        places = [PurePosixPath(place(each)) for each in ARTIFACTS]
        # Then neither does one lie in another
        for number, first in enumerate(places):
            assert not first.is_absolute()
            assert ".." not in first.parts
            for second in places[number + 1 :]:
                assert not first.is_relative_to(second)
                assert not second.is_relative_to(first)

    @every_kind
    def test_an_upload_reads_it_in_the_workspace(self, kind: ArtifactKind, tmp_path: Path) -> None:
        # Given
        workspace = Workspace(tmp_path)
        place = workspace.path(artifact_of(kind))
        if kind.is_packed:
            place /= "RUN1/out.csv"
        place.parent.mkdir(parents=True)
        place.write_bytes(b"bytes")
        # When
        content = b"".join(workspace.source(artifact_of(kind)).chunks())
        # Then
        if kind.is_packed:
            with zipfile.ZipFile(BytesIO(content)) as packed:
                assert packed.read("RUN1/out.csv") == b"bytes"
        else:
            assert content == b"bytes"

    @every_kind
    def test_members_of_its_zip_do_not_land_in_what_an_upload_packs(
        self, kind: ArtifactKind
    ) -> None:
        into = DownloadDirectory(Path("/srv")).members(artifact_of(kind)).into
        packed = [PurePosixPath(source_place(each)) for each in ARTIFACTS if each.kind.is_packed]
        assert not any(into.is_relative_to(directory) for directory in packed)


@every_kind
@every_task
class TestTasks:
    def test_workers_have_the_task(
        self, app: Celery, kind: ArtifactKind, direction: Direction
    ) -> None:
        task: Any = app.tasks[task_name(direction, kind)]
        assert task.arguments is (RunArguments if kind.belongs_to_run else JobArguments)
        assert TRANSFER_TASKS[task.name] == (direction, kind)

    def test_it_goes_to_a_queue_that_workers_read(
        self, app: Celery, kind: ArtifactKind, direction: Direction
    ) -> None:
        queue = app.amqp.router.route({}, task_name(direction, kind))["queue"]
        assert queue.name == queue_of(kind)
        assert queue_of(kind) in {each.name for each in celeryconfig.task_queues}

    def test_producers_may_send_it(self, kind: ArtifactKind, direction: Direction) -> None:
        ids = ids_of(direction, artifact_of(kind))
        check_sendable(task_name(direction, kind), (), ids, {})
        with pytest.raises(InvalidRequestError, match="extra"):
            check_sendable(task_name(direction, kind), (), {**ids, "extra": 1}, {})


@every_kind
class TestPlatform:
    def test_its_column_is_one_of_the_platforms(self, kind: ArtifactKind) -> None:
        name = kind.spec.column
        if name is None:
            return
        table, row = (RunRow, Run) if kind.belongs_to_run else (JobRow, Job)
        assert name in {field.name for field in fields(row)}
        column = getattr(table, name)
        assert any(column is each for each in WRITTEN)
        assert any(column is each for each in PLATFORM_COLUMNS)

    def test_no_other_kind_has_its_column(self, kind: ArtifactKind) -> None:
        same = [
            each
            for each in ArtifactKind
            if each.spec.column is not None
            and (each.spec.scope, each.spec.column) == (kind.spec.scope, kind.spec.column)
        ]
        assert same in ([], [kind])

    def test_a_client_that_may_put_it_gets_a_url(self, kind: ArtifactKind) -> None:
        # Given
        world = ProducingWorld()
        world.jobs.rows[12] = Job(12, JOB.created_at, status="CREATED")
        run_id = artifact_of(kind).run_id

        def submit() -> str:
            scope, name = kind.spec.scope, kind.upload_type
            return world.controller.submit_job(12, scope, name, run_id).url

        # Then
        if not kind.spec.from_client:
            with pytest.raises(InvalidRequestError, match=f"a client does not upload {kind}"):
                submit()
            return
        assert file_name(artifact_of(kind)) in submit()
        assert kind in USE_CASES
        assert kind.spec.column is not None


@every_kind
class TestTransfer:
    def test_the_fakes_store_and_record_it(self, kind: ArtifactKind) -> None:
        # Given
        world, artifact = ProducingWorld(), artifact_of(kind)
        world.workspace.contents[artifact] = b"bytes"
        # When
        summary = world.upload(artifact)
        # Then
        key = JobS3Prefix.from_job(JOB).key(artifact)
        assert summary.state is TransferState.DONE
        assert world.store.content_types == {key: kind.content_type}
        assert world.artifacts.of_job(12)[0].artifact == artifact
        assert set(world.artifacts.locations) == ({artifact} if kind.spec.column else set())

    def test_the_tables_take_it(self, engine: Engine, kind: ArtifactKind) -> None:
        # Given
        insert_job_with_run(engine)
        transfers, world, artifact = SqlTransfers(engine), ProducingWorld(), artifact_of(kind)
        world.workspace.contents[artifact] = b"bytes"
        world.upload(artifact)
        stored = world.artifacts.of_job(12)[0]
        # When
        transfers.request(artifact, Direction.UPLOAD, "a")
        claim = transfers.claim(
            artifact, Direction.UPLOAD, "a", owner="worker-1", lease=world.lease
        )
        assert claim is not None
        transfers.record(claim, stored, world.store.location(stored.object.key))
        # Then
        assert [each.artifact for each in transfers.of_job(12)] == [artifact]
        is_done = status_name(SqlRuns(engine).get(4)) == "DONE"
        assert is_done == kind.spec.completes_run

    @pytest.fixture
    def engine(self, sqlite_url: str) -> Iterator[Engine]:
        engine = make_engine(sqlite_url)
        yield engine
        engine.dispose()


def test_the_demo_has_each() -> None:
    assert {scene.artifact.kind for scene in SCENES} == set(ArtifactKind)


def test_each_option_kind_of_the_commands_offers_all() -> None:
    types = {
        path: parameter.bare_type()
        for path, command in commands()
        for parameter in command.params
        if parameter.name == "kind"
    }
    assert "jobs upload" in types
    assert set(types.values()) <= {"ArtifactKind", "list[ArtifactKind]"}
