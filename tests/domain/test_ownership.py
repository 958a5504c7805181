"""Whose a key is, where several jobs have had one id."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_pipeline.domain.model.artifacts import Artifact, Scheme, StoredArtifact
from artifact_pipeline.domain.model.jobs import MAX_ID
from artifact_pipeline.domain.model.keys import JobS3Prefix, directory_time
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.ownership import Ownership
from tests.contract.transfer_steps import stored_artifact

CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
PREFIX = JobS3Prefix(12, CREATED_AT)
CONFIG = Artifact(ArtifactKind.JOB_CONFIG, 12)
LATER = "jobs/12/2025/11/01/093000/"
moments = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)).map(  # noqa: DTZ001 - made aware below
    lambda moment: moment.replace(tzinfo=UTC)
)


def recorded(key: str, scheme: Scheme = Scheme.PREFIX) -> StoredArtifact:
    stored = stored_artifact(CONFIG, scheme=scheme)
    return replace(stored, object=replace(stored.object, key=key))


def ownership(*rows: StoredArtifact) -> Ownership:
    return Ownership(prefix=PREFIX, rows=lambda: rows)


@given(st.integers(1, MAX_ID), moments)
def test_the_time_of_a_directory_is_read_from_its_key(job_id: int, moment: datetime) -> None:
    prefix = JobS3Prefix(job_id, moment)
    assert directory_time(job_id, prefix.job_config_key()) == prefix.created_at


@pytest.mark.parametrize(
    "key",
    [
        "jobs/12/job_config.json",
        "jobs/12/2025/13/23/211500/job_config.json",
        "jobs/12/2025/10/23/211560/job_config.json",
        "jobs/12/2025/10/23/211500",
        "jobs/12/0000/10/23/211500/job_config.json",
        "jobs/12/٢٠٢٥/10/23/211500/job_config.json",
        "jobs/120/2025/10/23/211500/job_config.json",
        "other/jobs/12/2025/10/23/211500/job_config.json",
    ],
)
def test_a_key_without_a_time_of_the_job_has_none(key: str) -> None:
    assert directory_time(12, key) is None


@pytest.mark.parametrize(
    ("key", "is_own"),
    [
        (f"{PREFIX.directory}job_config.json", True),
        # An old rule's: uploaded after the job was created, and at the very last moment before
        ("jobs/12/2025/10/23/211501/job_config.json", True),
        ("jobs/12/2025/10/23/211459/job_config.json", False),
        ("jobs/12/2024/10/23/211500/job_config.json", False),
        # The key does not tell
        ("jobs/12/job_config.json", True),
        ("attic/config.json", True),
    ],
)
def test_an_object_is_told_by_the_time_in_its_key(*, key: str, is_own: bool) -> None:
    assert ownership().owns(key) is is_own


@pytest.mark.parametrize(
    ("row", "is_own"),
    [
        (recorded(f"{PREFIX.directory}job_config.json"), True),
        (recorded(f"{LATER}job_config.json"), False),
        (recorded("jobs/12/2024/10/23/211500/job_config.json"), False),
        (recorded(f"{LATER}job_config.json", Scheme.LEGACY), True),
        (recorded("jobs/12/2024/10/23/211500/job_config.json", Scheme.LEGACY), False),
        (recorded("attic/config.json", Scheme.LEGACY), True),
    ],
)
def test_a_row_of_scheme_prefix_is_of_the_job_of_its_directory(
    *, row: StoredArtifact, is_own: bool
) -> None:
    assert ownership(row).owns_row(row) is is_own


def test_a_directory_that_a_row_names_as_another_jobs_is_another_jobs_for_every_object() -> None:
    # Given a later job with this id, of which the config is recorded
    of_later = ownership(recorded(f"{LATER}job_config.json"))
    # Then its results are its own, and what an old rule put at another time is not
    assert not of_later.owns(f"{LATER}run_4_results.zip")
    assert of_later.owns("jobs/12/2025/11/01/093001/run_4_results.zip")


def test_the_rows_are_read_only_where_the_time_does_not_tell() -> None:
    def unread() -> list[StoredArtifact]:
        pytest.fail("the rows were read")

    of_job = Ownership(prefix=PREFIX, rows=unread)
    assert of_job.owns(f"{PREFIX.directory}job_config.json")
    earlier = JobS3Prefix(12, CREATED_AT - timedelta(seconds=1))
    assert not of_job.owns(earlier.job_config_key())
