"""`artifacts retention`: rules are set, listed, removed and previewed in SQL alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from artifact_pipeline.domain.model.artifacts import Artifact
from artifact_pipeline.worker.sql.artifacts import artifact_values
from artifact_pipeline.worker.sql.legal_holds import SqlLegalHolds
from artifact_pipeline.worker.sql.tables import ArtifactRow
from tests.cli.commands import Command
from tests.cli.shelf import CONFIG, INPUT, OF_13, RESULTS, key_of
from tests.cli.test_json import checked
from tests.contract.transfer_steps import stored_artifact

WHY = ("--reason", "the budget")
SET = ("retention", "set", "old", "--archive-after", "90d", "--delete-after", "400d", *WHY)
GIB = 2**30


def record(engine: Engine, artifact: Artifact, age: float, **changes: object) -> None:
    """As it was recorded so many days ago."""
    stored_at = datetime.now(UTC) - timedelta(days=age)
    values = artifact_values(stored_artifact(artifact, stored_at=stored_at))
    values |= {"key": key_of(artifact), "size": GIB, "storage_class": "STANDARD", **changes}
    with engine.begin() as connection:
        connection.execute(insert(ArtifactRow).values(values))


@pytest.fixture
def aged(database: Engine) -> Engine:
    """Of job 12 one to delete, one to archive and one to keep, and one of job 13 to delete."""
    for artifact, age in ((CONFIG, 500), (RESULTS, 100), (INPUT, 10), (OF_13, 401)):
        record(database, artifact, age)
    return database


@pytest.mark.usefixtures("database")
class TestRules:
    def test_a_rule_is_listed_with_who_and_why(self, artifacts: Command) -> None:
        # When
        answer = artifacts(
            *SET, "--kind", "run_results", "--tag", "gold", "--user-id", "7", "--actor", "ann"
        )
        # Then
        assert (answer.status, answer.out) == (
            0,
            (
                "rule old was added: run_results, tag gold, user 7: archive to GLACIER after 90d,"
                " then delete after 400d\n"
            ),
        )
        assert "does nothing before `artifacts retention apply`" in answer.error
        listed = artifacts("retention", "list", "--json")
        checked("retention list", listed)
        [row] = listed.json
        assert (row["kinds"], row["tags"], row["user_ids"]) == (["run_results"], ["gold"], [7])
        assert (row["archive_after"], row["delete_after"]) == (90 * 86_400, 400 * 86_400)
        assert (row["set_by"], row["reason"]) == ("ann", "the budget")
        assert "90d" in artifacts("retention", "list").out

    def test_each_change_is_in_the_audit_trail(self, artifacts: Command) -> None:
        # When
        checked("retention set", artifacts(*SET, "--actor", "ann", "--json"))
        artifacts("retention", "set", "old", "--keep-forever", "--reason", "case 7")
        removed = artifacts("retention", "remove", "old", "--reason", "over", "--json")
        checked("retention remove", removed)
        # Then
        rows = artifacts("history", "--json").json
        assert [(row["what"], row["reason"]) for row in rows] == [
            ("retention set", "the budget"),
            ("retention set", "case 7"),
            ("retention remove", "over"),
        ]
        assert rows[0]["by"] == "ann"
        assert "archive to GLACIER after 90d, then delete after 400d" in rows[0]["detail"]
        assert "was all kinds: keep" in rows[2]["detail"]
        assert artifacts("retention", "list", "--json").json == []

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ((), "--archive-after, --delete-after or --keep-forever: none of them was given"),
            (("--keep-forever", "--delete-after", "9d"), "excludes the other two"),
            (("--delete-after", "soon"), "soon: use a number with s, m, h or d"),
            (("--delete-after", "1h"), "delete_after: 1h is not from 1d to 36500d"),
            (("--delete-after", "9d", "--archive-after", "9d"), "is not later than archive_after"),
            (("--delete-after", "9d", "--storage-class", "GLACIER"), "belongs to --archive-after"),
            (("--archive-after", "9d", "--storage-class", "ICE"), "ICE: use one of GLACIER_IR"),
            (("--delete-after", "9d", "--keep-latest", "0"), "0 is less than 1"),
            (("--delete-after", "9d", "--kind", "job_logs"), "job_logs"),
            (("--delete-after", "9d", "--user-id", "x"), "'x' is not a whole number"),
            (("--delete-after", "9d", "--tag", ""), "tags: a tag is empty"),
            (("--keep-forever", "--keep-latest", "2"), "keep_latest: 2, but the rule keeps"),
        ],
    )
    def test_rubbish_is_refused(
        self, artifacts: Command, options: tuple[str, ...], said: str
    ) -> None:
        answer = artifacts("retention", "set", "old", *options, *WHY)
        assert said in answer.refusal
        assert artifacts("retention", "list", "--json").json == []

    @pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65])
    def test_a_name_that_is_none_is_refused(self, artifacts: Command, name: str) -> None:
        answer = artifacts("retention", "set", name, "--keep-forever", *WHY)
        assert "is not a name: use 1 to 64 letters" in answer.refusal

    def test_a_reason_is_needed(self, artifacts: Command) -> None:
        answer = artifacts("retention", "set", "old", "--keep-forever", "--reason", " ")
        assert (answer.status, answer.error) == (
            1,
            "artifacts: the reason is empty: say why, as the reason for a retention rule",
        )

    @pytest.mark.parametrize("command", [("remove", "ol", *WHY), ("preview", "ol")])
    def test_an_unknown_rule_is_named(self, artifacts: Command, command: tuple[str, ...]) -> None:
        artifacts(*SET)
        answer = artifacts("retention", *command)
        said = "artifacts: there is no retention rule 'ol'; there are: old"
        assert (answer.status, answer.error) == (1, said)


class TestPreview:
    def test_without_rules_everything_is_kept(self, artifacts: Command, aged: Engine) -> None:
        del aged
        answer = artifacts("retention", "preview")
        assert (answer.status, answer.out) == (0, "there are no retention rules\n")

    def test_it_shows_artifacts_bytes_and_money(self, artifacts: Command, aged: Engine) -> None:
        # Given
        del aged
        artifacts(*SET)
        # When
        answer = artifacts("retention", "preview", "--json")
        # Then
        checked("retention preview", answer)
        assert {
            (row["action"], row["kind"]): row["saved_per_month"] for row in answer.json["rows"]
        } == {
            ("delete", "job_config"): 0.023,
            ("archive", "run_results"): 0.0194,
            ("delete", "run_logs"): 0.023,
        }
        assert (answer.json["artifacts"], answer.json["size"]) == (3, 3 * GIB)
        assert (answer.json["saved_per_month"], answer.json["currency"]) == (0.0654, "USD")
        # And for people
        shown = artifacts("retention", "preview")
        assert "0.02 USD" in shown.out
        assert shown.error == "in all: 3 artifacts (3.2 GB), which saves 0.07 USD a month"

    def test_jobs_on_hold_are_named_and_left(self, artifacts: Command, aged: Engine) -> None:
        # Given
        artifacts(*SET)
        SqlLegalHolds(aged).set(12, "ann", "case 7")
        # When
        answer = artifacts("retention", "preview", "--json")
        # Then
        assert (answer.json["held_jobs"], answer.json["held_artifacts"]) == ([12], 2)
        assert [row["kind"] for row in answer.json["rows"]] == ["run_logs"]
        noted = artifacts("retention", "preview").err
        assert "because 1 jobs are on legal hold (12): 2 artifacts (2.1 GB)" in noted

    def test_rows_of_an_earlier_job_with_the_id_are_left(
        self, artifacts: Command, database: Engine
    ) -> None:
        record(database, CONFIG, 500, key="jobs/12/2024/01/01/000000/job_config.json")
        artifacts(*SET)
        assert artifacts("retention", "preview").out == "nothing is due\n"

    def test_of_one_rule_and_what_another_one_keeps(self, artifacts: Command, aged: Engine) -> None:
        # Given
        del aged
        artifacts(*SET)
        artifacts("retention", "set", "logs", "--kind", "run_logs", "--keep-forever", *WHY)
        # When
        old = artifacts("retention", "preview", "old", "--json").json
        logs = artifacts("retention", "preview", "logs").out
        # Then
        assert {row["kind"] for row in old["rows"]} == {"job_config", "run_results"}
        assert logs == "nothing is due\n"

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("prices.toml", 'currency = "EUR"\n[per_gb_month]\nSTANDARD = 2\n'),
            ("prices.json", '{"currency": "EUR", "per_gb_month": {"STANDARD": 2}}'),
        ],
    )
    def test_prices_are_of_a_file(  # noqa: PLR0913, PLR0917 - fixtures
        self,
        artifacts: Command,
        aged: Engine,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        content: str,
    ) -> None:
        # Given prices without one of GLACIER
        del aged
        (tmp_path / name).write_text(content)
        monkeypatch.setenv("ARTIFACTS_RETENTION_PRICES", str(tmp_path / name))
        artifacts(*SET)
        # When
        answer = artifacts("retention", "preview", "--json")
        # Then
        assert (answer.json["saved_per_month"], answer.json["currency"]) == (4, "EUR")
        assert answer.json["classes_without_price"] == ["GLACIER"]
        assert "no price of GLACIER" in artifacts("retention", "preview").err

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("prices.toml", b"STANDARD: 2", "not TOML or JSON: "),
            ("prices.json", b"\xff\xfe", "not TOML or JSON: "),
            ("prices.json", b"[" * 100_000, "not TOML or JSON: "),
            ("prices.json", b"[]", "it has no fields"),
            ("prices.toml", b"[per_gb_month]\nSTANDARD = -1", "per_gb_month.STANDARD: -1 is not"),
            ("prices.toml", b"#" * 1_000_001, "it has more than 1,000,000 bytes"),
        ],
    )
    @pytest.mark.usefixtures("database")
    def test_a_wrong_file_is_one_line(  # noqa: PLR0913, PLR0917 - fixtures
        self,
        artifacts: Command,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        content: bytes,
        said: str,
    ) -> None:
        # Given
        path = tmp_path / name
        path.write_bytes(content)
        monkeypatch.setenv("ARTIFACTS_RETENTION_PRICES", str(path))
        # When
        answer = artifacts("retention", "preview")
        # Then
        assert answer.status == 1
        assert answer.error.startswith(f"artifacts: ARTIFACTS_RETENTION_PRICES={path}: {said}")
