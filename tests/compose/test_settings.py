"""Every setting can be given to the services, and to all alike."""

from pathlib import Path

import pytest
from dotenv import dotenv_values
from pydantic_settings import BaseSettings

from artifact_pipeline.worker.settings import (
    BatchSettings,
    ControlSettings,
    DatabaseSettings,
    MetricsSettings,
    ProducerSettings,
    WebSettings,
    WorkerSettings,
    WorkspaceSettings,
    load,
)
from tests.compose.compose_file import GIVEN, WORKERS, read
from tests.image import ROOT

SERVICES = read(GIVEN)["services"]
OF_THE_PIPELINE = sorted(name for name in SERVICES if "build" in SERVICES[name])
READ_BY: dict[str, type[BaseSettings]] = {
    **dict.fromkeys(WORKERS, WorkerSettings),
    "beat": ControlSettings,
    "flower": ControlSettings,
    "metrics": MetricsSettings,
    "migrate": DatabaseSettings,
    "web": WebSettings,
    "workspace": WorkspaceSettings,
}
SETTINGS = (WorkerSettings, ProducerSettings, ControlSettings, BatchSettings, WebSettings)


def variables(*settings: type[BaseSettings]) -> set[str]:
    return {f"ARTIFACTS_{name.upper()}" for each in settings for name in each.model_fields}


@pytest.mark.parametrize("name", OF_THE_PIPELINE)
def test_a_service_reads_all_others_from_one_file(name: str) -> None:
    # All of the same: a prefix of the broker's keys that beat does not know stops the pipeline.
    assert SERVICES[name]["env_file"] == [{"path": "settings.env", "required": False}]


@pytest.mark.parametrize("name", OF_THE_PIPELINE)
def test_what_the_file_sets_itself_is_a_setting(name: str) -> None:
    given = {each for each in SERVICES[name]["environment"] if each.startswith("ARTIFACTS_")}
    assert given <= variables(*SETTINGS)


@pytest.mark.parametrize("name", READ_BY)
def test_a_service_starts_with_what_is_given(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given what Docker Compose gives it: the file, and before it the environment
    file = tmp_path / "settings.env"
    file.write_text(
        "ARTIFACTS_BROKER_PREFIX=staging:\n"
        "ARTIFACTS_S3_CHECKSUM=read-back\n"
        "ARTIFACTS_S3_TAGS=team=cfd,job={job_id}\n"
        "ARTIFACTS_SSE=aws:kms\n"
        "ARTIFACTS_URL_SIGNS_ENCRYPTION=true\n"
        "ARTIFACTS_BUCKET=another\n"
    )
    given = {**dotenv_values(file), **SERVICES[name]["environment"]}
    given["ARTIFACTS_WORKSPACE"] = str(tmp_path)
    for variable, value in given.items():
        monkeypatch.setenv(variable, value or "")
    # When
    settings = load(READ_BY[name])
    # Then
    if isinstance(settings, WorkerSettings):
        assert settings.bucket == "artifacts"
        assert (settings.s3_checksum, settings.sse) == ("read-back", "aws:kms")
        assert settings.tags.names == ("team", "job")
    if isinstance(settings, WorkerSettings | ControlSettings | MetricsSettings | WebSettings):
        assert settings.broker.prefix == "staging:"


def test_the_file_is_not_committed() -> None:
    assert "settings.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_every_setting_is_documented() -> None:
    documented = (ROOT / "docs/operations/settings.md").read_text()
    unnamed = {name for name in variables(*SETTINGS) if f"`{name}`" not in documented}
    # The row of the other names it.
    assert unnamed <= {"ARTIFACTS_BACKOFF_CAP_SECONDS"}
