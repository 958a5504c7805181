"""One job, one directory, named after the moment of its creation."""

import pickle
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.domain.model.jobs import MAX_ID, Job
from artifact_pipeline.domain.model.keys import JobS3Prefix
from artifact_pipeline.domain.model.kinds import ArtifactKind

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
CREATED_AT = datetime(2025, 10, 23, 21, 15, tzinfo=UTC)
KEY = re.compile(
    r"jobs/\d+/\d{4}/\d\d/\d\d/\d{6}/"
    r"(job|run_\d+)_[a-z]+\.(json|zip|log)",
    re.ASCII,
)

ids = st.integers(1, MAX_ID)
naive_moments = st.datetimes()
offsets = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
# A day from the edges of the calendar, so that every zone can tell the moment.
utc_moments = naive_moments.filter(
    lambda moment: date(1, 1, 1) < moment.date() < date(9999, 12, 31)
).map(lambda moment: moment.replace(tzinfo=UTC))
artifacts = st.builds(
    lambda kind, job_id, run_id: Artifact(kind, job_id, run_id if kind.belongs_to_run else None),
    st.sampled_from(ArtifactKind),
    ids,
    ids,
)


def directory(moment: datetime) -> str:
    return JobS3Prefix(12, moment).directory


class TestKeys:
    @pytest.mark.parametrize(
        ("artifact", "name"),
        [
            (Artifact(ArtifactKind.JOB_CONFIG, 12), "job_config.json"),
            (Artifact(ArtifactKind.JOB_INPUT, 12), "job_input.zip"),
            (Artifact(ArtifactKind.RUN_CONFIG, 12, 4), "run_4_config.json"),
            (Artifact(ArtifactKind.RUN_RESULTS, 12, 4), "run_4_results.zip"),
            (Artifact(ArtifactKind.RUN_LOGS, 12, 4), "run_4_logs.log"),
        ],
        ids=str,
    )
    def test_each_artifact_has_its_name_in_the_directory(
        self, artifact: Artifact, name: str
    ) -> None:
        key = JobS3Prefix(12, CREATED_AT).key(artifact)
        assert key == f"jobs/12/2025/10/23/211500/{name}"

    def test_the_named_keys_are_the_keys_of_the_artifacts(self) -> None:
        prefix = JobS3Prefix.from_job(Job(12, CREATED_AT))
        assert [
            prefix.job_config_key(),
            prefix.job_input_key(),
            prefix.run_config_key(4),
            prefix.run_results_key(4),
            prefix.run_logs_key(4),
        ] == [
            prefix.key(Artifact(kind, 12, 4 if kind.belongs_to_run else None))
            for kind in (
                *(ArtifactKind.JOB_CONFIG, ArtifactKind.JOB_INPUT, ArtifactKind.RUN_CONFIG),
                *(ArtifactKind.RUN_RESULTS, ArtifactKind.RUN_LOGS),
            )
        ]

    def test_the_directory_is_the_prefix_with_a_closing_slash(self) -> None:
        # Without it, a LIST of one job's directory could find another's
        prefix = JobS3Prefix(12, CREATED_AT)
        assert prefix.base_prefix == "jobs/12/2025/10/23/211500"
        assert prefix.directory == "jobs/12/2025/10/23/211500/"

    def test_an_artifact_of_another_job_is_refused(self) -> None:
        with pytest.raises(InvalidRequestError, match="job_config of job 13 is not of job 12"):
            JobS3Prefix(12, CREATED_AT).key(Artifact(ArtifactKind.JOB_CONFIG, 13))

    @pytest.mark.parametrize("run_id", [0, -1, 2**31])
    def test_a_run_id_out_of_range_is_refused(self, run_id: int) -> None:
        with pytest.raises(InvalidRequestError):
            JobS3Prefix(12, CREATED_AT).run_logs_key(run_id)

    @given(artifact=artifacts, moment=naive_moments)
    def test_every_key_has_the_one_form(self, artifact: Artifact, moment: datetime) -> None:
        prefix = JobS3Prefix(artifact.job_id, moment)
        assert KEY.fullmatch(prefix.key(artifact))
        assert prefix.key(artifact).startswith(prefix.directory)

    @given(one=artifacts, other=artifacts, moment=naive_moments)
    def test_two_artifacts_never_share_a_key(
        self, one: Artifact, other: Artifact, moment: datetime
    ) -> None:
        keys = {JobS3Prefix(artifact.job_id, moment).key(artifact) for artifact in (one, other)}
        assert len(keys) == len({one, other})


class TestMoments:
    @given(moment=naive_moments)
    def test_a_naive_time_is_utc(self, moment: datetime) -> None:
        assert directory(moment) == directory(moment.replace(tzinfo=UTC))

    @given(moment=utc_moments, zone=offsets)
    def test_one_moment_has_one_directory_in_every_zone(
        self, moment: datetime, zone: tzinfo
    ) -> None:
        assert directory(moment.astimezone(zone)) == directory(moment)

    @given(moment=naive_moments, microsecond=st.integers(0, 999_999))
    def test_sub_seconds_are_dropped(self, moment: datetime, microsecond: int) -> None:
        assert directory(moment.replace(microsecond=microsecond)) == directory(moment)

    @given(moment=naive_moments)
    def test_the_directory_tells_the_moment(self, moment: datetime) -> None:
        year, month, day, clock = directory(moment).split("/")[2:6]
        told = datetime.fromisoformat(f"{year}-{month}-{day}T{clock}")
        assert told == moment.replace(microsecond=0, fold=0)

    @pytest.mark.parametrize(
        ("moment", "expected"),
        [
            (datetime(1, 1, 1, tzinfo=UTC), "0001/01/01/000000"),
            (datetime(999, 2, 3, 4, 5, 6, tzinfo=UTC), "0999/02/03/040506"),
            (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "9999/12/31/235959"),
            (datetime(2025, 10, 23, tzinfo=UTC), "2025/10/23/000000"),
            (datetime(2025, 10, 22, 23, 59, 59, 999_999, tzinfo=UTC), "2025/10/22/235959"),
            (datetime(2024, 2, 29, 12, tzinfo=UTC), "2024/02/29/120000"),
        ],
        ids=str,
    )
    def test_the_edges_of_years_and_days(self, moment: datetime, expected: str) -> None:
        assert directory(moment) == f"jobs/12/{expected}/"

    def test_midnight_elsewhere_is_another_day_in_utc(self) -> None:
        tokyo = datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))
        assert directory(tokyo) == "jobs/12/2025/12/31/150000/"

    @pytest.mark.parametrize(
        ("moment", "expected"),
        [
            (datetime(2025, 10, 26, 2, 30, fold=0, tzinfo=BERLIN), "2025/10/26/003000"),
            (datetime(2025, 10, 26, 2, 30, fold=1, tzinfo=BERLIN), "2025/10/26/013000"),
            (datetime(2025, 3, 30, 1, 59, fold=0, tzinfo=BERLIN), "2025/03/30/005900"),
            (datetime(2025, 3, 30, 3, 0, fold=0, tzinfo=BERLIN), "2025/03/30/010000"),
            (datetime(2025, 11, 2, 1, 30, fold=0, tzinfo=NEW_YORK), "2025/11/02/053000"),
            (datetime(2025, 11, 2, 1, 30, fold=1, tzinfo=NEW_YORK), "2025/11/02/063000"),
        ],
    )
    def test_the_hour_that_comes_twice_and_the_one_that_is_left_out(
        self, moment: datetime, expected: str
    ) -> None:
        assert directory(moment) == f"jobs/12/{expected}/"

    def test_a_job_and_its_prefix_agree_on_the_moment(self) -> None:
        berlin = datetime(2025, 10, 23, 23, 15, 0, 999_999, tzinfo=BERLIN)
        job = Job(12, berlin)
        assert job.created_at == CREATED_AT
        assert JobS3Prefix.from_job(job) == JobS3Prefix(12, berlin)


class TestThePlatformsNames:
    def test_a_timestamp_is_the_creation_time(self) -> None:
        moment = datetime(2025, 10, 23, 21, 15, 0, 999_999, tzinfo=UTC)
        prefix = JobS3Prefix(job_id=12, timestamp=moment)
        assert prefix == JobS3Prefix(12, moment) == JobS3Prefix(job_id=12, created_at=moment)
        assert prefix.timestamp == prefix.created_at == moment.replace(microsecond=0)

    @pytest.mark.parametrize("moments", [{}, {"created_at": CREATED_AT, "timestamp": CREATED_AT}])
    def test_the_moment_is_given_once(self, moments: dict[str, datetime]) -> None:
        with pytest.raises(ValueError, match="of job 12: give created_at or timestamp"):
            JobS3Prefix(12, **moments)

    @pytest.mark.parametrize("job_id", [0, -1, None, "12", True, 2**31])
    def test_no_directory_of_a_wrong_id(self, job_id: Any) -> None:
        with pytest.raises(ValueError, match="job_id must be from 1 to 2147483647"):
            JobS3Prefix(job_id, CREATED_AT)

    def test_it_can_be_copied_and_sent(self) -> None:
        prefix = JobS3Prefix(12, CREATED_AT)
        assert pickle.loads(pickle.dumps(prefix)) == prefix  # noqa: S301 - made in this line
        assert replace(prefix, job_id=13).job_id == 13
        assert hash(prefix) == hash(JobS3Prefix(12, CREATED_AT))
