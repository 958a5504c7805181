"""The platform's calls on a store of files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from artifact_pipeline.domain.errors import InvalidRequestError, UnsupportedByStoreError
from artifact_pipeline.domain.model.transfers import Direction, TransferState
from artifact_pipeline.domain.platform.job_controller import JobController
from artifact_pipeline.worker.composition.producer import Producer
from tests.cli.commands import Command
from tests.cli.shelf import CONFIG, INPUT, LOGS, RESULTS, key_of
from tests.file_store.steps import Shelf


@pytest.fixture
def controller(
    database: Engine, files: Shelf, monkeypatch: pytest.MonkeyPatch
) -> Iterator[JobController]:
    """The platform's, whose broker does not matter."""
    assert files
    monkeypatch.setenv("ARTIFACTS_BROKER_URL", "redis://127.0.0.1:1/0")
    with Session(database) as session:
        yield Producer(publish=False).controller(session)


class TestProducer:
    def test_uploads_and_downloads_are_requested(self, controller: JobController) -> None:
        transfer = controller.request_upload(INPUT.kind, 12)
        assert (transfer.direction, transfer.state) == (Direction.UPLOAD, TransferState.WAITING)
        assert controller.request_download(RESULTS.kind, 12, 4).direction is Direction.DOWNLOAD

    def test_all_is_found(self, controller: JobController) -> None:
        found = {each.artifact for each in controller.get_job_uploads(12)}
        assert found == {CONFIG, RESULTS, LOGS}

    def test_results_are_stored_without_a_worker(
        self, controller: JobController, files: Shelf, tmp_path: Path
    ) -> None:
        (tmp_path / "results/RUN1").mkdir(parents=True)
        (tmp_path / "results/RUN1/out.csv").write_bytes(b"5")
        stored = controller.upload_results(12, 5, tmp_path / "results")
        assert files.store.holds(stored.object)

    def test_what_needs_a_url_names_the_setting_and_the_remedy(
        self, controller: JobController, files: Shelf
    ) -> None:
        with pytest.raises(InvalidRequestError):
            controller.submit_job(12)
        with pytest.raises(InvalidRequestError):
            controller.submit_run_config(12, 4)
        with pytest.raises(InvalidRequestError) as refused:
            controller.submit_job_config(12)
        assert f"ARTIFACTS_STORE={files.root.url} has no upload URLs" in str(refused.value)
        assert "request_upload" in str(refused.value)
        with pytest.raises(InvalidRequestError, match="has no download URLs"):
            controller.get_run_results(12, 4)
        with pytest.raises(InvalidRequestError):
            controller.get_job_results(12)

    def test_what_was_refused_has_changed_nothing(
        self, controller: JobController, artifacts: Command
    ) -> None:
        with pytest.raises(InvalidRequestError):
            controller.submit_job_config(12)
        assert artifacts("jobs", "status", "12", "--json").json == []

    def test_an_archive_has_no_meaning(self, controller: JobController) -> None:
        with pytest.raises(UnsupportedByStoreError, match="no archive tiers"):
            controller.archive_job_uploads(12)

    def test_an_upload_is_read_by_its_location(
        self, controller: JobController, files: Shelf
    ) -> None:
        location = files.store.location(key_of(CONFIG))
        locations = controller.upload_location_repository
        assert locations.read_content(location) == b"{}"
        assert locations.filter_by_age([], hours_since_create=1) == []
