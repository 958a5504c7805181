"""`artifacts doctor --probe`: what a store does not keep is found, and nothing else."""

from contextlib import closing
from typing import Any

import pytest
from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.diagnosis.findings import Severity
from artifact_pipeline.worker.diagnosis.probe.area import PROBE_PREFIX
from artifact_pipeline.worker.diagnosis.probe.outcomes import met, unmet
from artifact_pipeline.worker.diagnosis.probe.run import judged, probe_store
from artifact_pipeline.worker.diagnosis.probe.table import CHECKS
from artifact_pipeline.worker.s3.abilities import Checksum, Copies, Deletes, StoreAbilities
from benchmarks.deployment import Rclone
from tests.buckets import create_bucket
from tests.s3.steps import client_at
from tests.servers import Moto
from tests.stores.lies import HARMLESS, TOGETHER, WORKED_AROUND
from tests.stores.lying import Lie, refusing
from tests.stores.probing import Lying, ask_only, probe_of, unwell

pytestmark = pytest.mark.usefixtures("no_backoff")

MIB = 2**20


def is_empty(client: S3Client, bucket: str) -> bool:
    objects = client.list_objects_v2(Bucket=bucket, Prefix=PROBE_PREFIX)["KeyCount"]
    uploads = client.list_multipart_uploads(Bucket=bucket, Prefix=PROBE_PREFIX)
    return not objects and not uploads.get("Uploads")


def test_a_store_that_keeps_every_promise_has_no_finding(s3_client: S3Client, bucket: str) -> None:
    # When
    findings = list(probe_store(probe_of(s3_client, bucket)))
    # Then
    assert unwell(findings) == set()
    assert is_empty(s3_client, bucket)


@pytest.mark.parametrize("lies", TOGETHER, ids=["first", "second", "third"])
def test_each_lie_is_found_by_its_finding(
    lying: Lying,
    lies: list[tuple[str, str, Lie]],
    s3_client: S3Client,
    bucket: str,
) -> None:
    # When
    findings = lying(*(lie for _, _, lie in lies), has_tags=True)
    # Then
    expected = {(severity, name) for severity, name, _ in lies}
    assert unwell(findings) == expected
    for finding in findings:
        assert bool(finding.severity) == bool(finding.why) == bool(finding.fix)
    assert ("warning", "removal") in expected or is_empty(s3_client, bucket)


def test_what_the_pipeline_does_without_is_no_finding(lying: Lying) -> None:
    assert unwell(lying(*HARMLESS)) == set()


class TestWaysAround:
    def test_are_named(self, lying: Lying, monkeypatch: pytest.MonkeyPatch) -> None:
        # Given
        ask_only(monkeypatch, *(check.name for check in CHECKS if check.way_around))
        # When
        mends = {f.check: f.fix for f in lying(*WORKED_AROUND) if f.severity}
        # Then
        conditional = "set ARTIFACTS_S3_CONDITIONAL_WRITES=false"
        assert mends == {
            "probe If-None-Match": conditional,
            "probe If-Match": conditional,
            "probe parts with If-None-Match": conditional,
            "probe parts with If-Match": conditional,
            "probe SHA-256 of a PUT": "set ARTIFACTS_S3_CHECKSUM=md5",
            "probe SHA-256 of a part": "set ARTIFACTS_S3_CHECKSUM=md5",
            "probe UploadPartCopy": "set ARTIFACTS_S3_COPIES=worker",
            "probe DeleteObjects": "set ARTIFACTS_S3_DELETES=md5",
        }

    def test_once_chosen_leave_the_weaker_promise_alone(self) -> None:
        # Given
        chosen = StoreAbilities(
            conditional_writes=False,
            checksum=Checksum.READ_BACK,
            copies=Copies.WORKER,
            deletes=Deletes.SINGLE,
        )
        around = [check for check in CHECKS if check.way_around]
        # When
        findings = [judged(check, unmet("it is refused"), chosen) for check in around]
        # Then
        assert unwell(findings) == {
            ("warning", "If-None-Match"),
            ("warning", "If-Match"),
            ("warning", "parts with If-None-Match"),
            ("warning", "parts with If-Match"),
        }

    def test_that_do_not_work_are_no_way_around(self) -> None:
        # Given a store that checks no MD5
        [check] = [check for check in CHECKS if check.name == "probe SHA-256 of a PUT"]
        outcome = unmet("it is accepted", ("ARTIFACTS_S3_CHECKSUM=read-back",))
        # When
        finding = judged(check, outcome, StoreAbilities(checksum=Checksum.MD5))
        # Then
        assert finding.severity is Severity.ERROR
        assert finding.fix == "set ARTIFACTS_S3_CHECKSUM=read-back"

    def test_chosen_without_need_are_named(self) -> None:
        # Given
        chosen = StoreAbilities(conditional_writes=False, copies=Copies.WORKER)
        # When
        findings = [judged(check, met("it works"), chosen) for check in CHECKS]
        # Then
        mends = [finding.fix for finding in findings if finding.severity]
        assert mends == ["unset ARTIFACTS_S3_CONDITIONAL_WRITES"] * 4


class TestPermissions:
    def test_without_the_right_to_delete_nothing_else_is_written(
        self, lying: Lying, s3_client: S3Client, bucket: str
    ) -> None:
        # When
        findings = lying(refusing("DeleteObject", 403, "AccessDenied"))
        # Then
        assert unwell(findings) == {("error", "removal")}
        [finding] = findings
        assert "s3:DeleteObject" in finding.fix
        [left] = s3_client.list_objects_v2(Bucket=bucket)["Contents"]
        assert left["Key"] in finding.why

    def test_a_missing_one_is_named(self, lying: Lying, monkeypatch: pytest.MonkeyPatch) -> None:
        # Given
        ask_only(monkeypatch, "probe tags", "probe metadata")
        # When
        findings = lying(refusing("GetObjectTagging", 403, "AccessDenied"))
        # Then
        [finding] = [finding for finding in findings if finding.severity]
        assert finding.check == "probe tags"
        assert "s3:GetObjectTagging" in finding.fix


class TestPassingRefusals:
    def test_one_says_nothing_about_what_the_store_lacks(
        self, lying: Lying, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given a 400 that S3 answers to what may succeed next time, and botocore does not repeat
        ask_only(monkeypatch, "probe If-None-Match", "probe If-Match", "probe SHA-256 of a part")
        # When
        findings = lying(
            refusing("PutObject", 400, "IncompleteBody", "if-none-match"),
            refusing("PutObject", 400, "IncompleteBody", "if-match"),
            refusing("UploadPart", 400, "IncompleteBody"),
        )
        # Then no setting that weakens a promise is advised
        unsure = [finding for finding in findings if finding.severity]
        assert [finding.severity for finding in unsure] == [Severity.WARNING] * 3
        assert all("answers 400 IncompleteBody" in finding.what for finding in unsure)
        assert {finding.fix for finding in unsure} == {
            "run `artifacts doctor --probe` again: the same request may succeed"
        }

    def test_one_of_the_first_write_asks_for_no_permission(self, lying: Lying) -> None:
        # When
        [finding] = lying(refusing("PutObject", 403, "SecondLevelDomainForbidden"))
        # Then
        assert finding.fix == "correct that, and run `artifacts doctor --probe` again"


class TestRemoval:
    def test_an_interrupted_probe_removes_what_it_wrote(
        self, s3_client: S3Client, bucket: str
    ) -> None:
        # Given Ctrl-C while uploads are open
        def interrupt(**_event: object) -> None:
            if not is_interrupted:
                is_interrupted.append(True)
                raise KeyboardInterrupt

        is_interrupted: list[bool] = []
        hooks: Any = s3_client.meta.events
        hooks.register("before-send.s3.ListMultipartUploads", interrupt)
        probe = probe_of(s3_client, bucket)
        # The removal of what an earlier probe has left lists them too.
        probe.area.remove_interrupted = lambda: 0  # type: ignore[method-assign]
        # When / Then
        with pytest.raises(KeyboardInterrupt):
            list(probe_store(probe))
        assert is_empty(s3_client, bucket)

    def test_one_that_is_interrupted_at_once_does_so_too(
        self, s3_client: S3Client, bucket: str
    ) -> None:
        # Given
        probe = probe_of(s3_client, bucket)

        def interrupt() -> int:
            raise KeyboardInterrupt

        probe.area.remove_interrupted = interrupt  # type: ignore[method-assign]
        probe.put(probe.area.key("written"), b"{}")
        # When / Then
        with pytest.raises(KeyboardInterrupt):
            list(probe_store(probe))
        assert is_empty(s3_client, bucket)

    def test_a_closed_probe_removes_what_it_wrote(self, s3_client: S3Client, bucket: str) -> None:
        with closing(probe_store(probe_of(s3_client, bucket))) as findings:
            next(findings)
            assert not is_empty(s3_client, bucket)
        assert is_empty(s3_client, bucket)

    def test_what_a_killed_probe_left_is_removed_an_hour_later(
        self, s3_client: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Given
        key = f"{PROBE_PREFIX}0011/large"
        s3_client.put_object(Bucket=bucket, Key=key, Body=b"1")
        s3_client.create_multipart_upload(Bucket=bucket, Key=key)
        area = probe_of(s3_client, bucket).area
        # When / Then
        assert area.remove_interrupted() == 0
        later = "artifact_pipeline.worker.diagnosis.probe.area._store_time"
        now = s3_client.list_objects_v2(Bucket=bucket)["Contents"][0]["LastModified"]
        monkeypatch.setattr(later, lambda *_: now.replace(year=now.year + 1))
        assert area.remove_interrupted() == 2
        assert is_empty(s3_client, bucket)


OF_MOTO = {
    ("error", "parts with If-Match"),
    ("error", "SHA-256 of a PUT"),
    ("error", "SHA-256 of a part"),
    ("warning", "listed parts"),
    ("warning", "composite checksum"),
    ("warning", "HEAD's checksum"),
    ("error", "UploadPartCopy"),
    ("error", "signature"),
}
OF_RCLONE = {
    ("error", "If-None-Match"),
    ("error", "If-Match"),
    ("error", "parts with If-None-Match"),
    ("error", "parts with If-Match"),
    ("error", "SHA-256 of a PUT"),
    ("error", "SHA-256 of a part"),
    ("warning", "listed parts"),
    ("warning", "composite checksum"),
    ("error", "UploadPartCopy"),
}


class TestOtherServers:
    """What docs/stores.md says of them."""

    def test_moto(self, moto: Moto) -> None:
        client = client_at(moto.url)
        probe = probe_of(client, create_bucket(client), part_size=5 * MIB)
        assert unwell(list(probe_store(probe))) == OF_MOTO

    @pytest.mark.processes
    def test_rclone(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        directory = tmp_path_factory.mktemp("rclone") / "s3"
        with Rclone(directory, "tests", "tests-secret") as server:
            client = client_at(server.url)
            probe = probe_of(client, create_bucket(client))
            assert unwell(list(probe_store(probe))) == OF_RCLONE
