"""The bytes of a batch, and its hours."""

import random
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from artifact_pipeline.domain.errors import InvalidRequestError
from artifact_pipeline.domain.model.batches import (
    Batch,
    BatchFilter,
    BatchProgress,
    BatchState,
    Outcome,
)
from artifact_pipeline.domain.model.byte_budget import ByteBudget, Settled, check_bytes_per_second
from artifact_pipeline.domain.model.kinds import ArtifactKind
from artifact_pipeline.domain.model.release_windows import ALWAYS, ReleaseWindow

NOW = datetime(2026, 1, 31, 18, tzinfo=UTC)
CONFIG, RESULTS = ArtifactKind.JOB_CONFIG, ArtifactKind.RUN_RESULTS
LIMIT = 1000
NIGHT = ReleaseWindow.of("22:00-06:00")


def budget(**values: object) -> ByteBudget:
    made = ByteBudget(limit=LIMIT, paced_to=NOW - timedelta(days=1), now=NOW)
    return replace(made, **values)  # type: ignore[arg-type] # by name


class TestBudget:
    @pytest.mark.parametrize(
        ("sizes", "released"),
        [
            ([100] * 50, 50),
            ([1000] * 50, 11),
            ([10**12, 1], 1),
            ([None, None], 2),
            ([None, 1, None], 2),
            ([], 0),
        ],
    )
    def test_the_bucket_holds_ten_seconds_and_is_overdrawn_by_one_member(
        self, sizes: list[int | None], released: int
    ) -> None:
        assert budget().affordable((CONFIG, size) for size in sizes) == released

    def test_a_large_member_is_paid_for(self) -> None:
        # Given one that takes a hundred seconds
        after = budget(paced_to=NOW).after(100 * LIMIT)
        # Then
        for seconds, released in ((0, 0), (99, 0), (100, 1)):
            later = replace(after, now=NOW + timedelta(seconds=seconds))
            assert later.affordable([(CONFIG, LIMIT), (CONFIG, LIMIT)]) == released

    def test_the_bytes_that_moved_replace_the_charge(self) -> None:
        # Given
        charged = budget(paced_to=NOW).after(100 * LIMIT)
        # When it has moved half of that
        ended = Settled(kind=CONFIG, charged=100 * LIMIT, moved=50 * LIMIT, moving=5)
        settled = charged.settle([ended])
        # Then
        assert settled.paced_to == NOW + timedelta(seconds=50)
        assert settled.charge(CONFIG, None) == (settled.bucket + 50 * LIMIT) // 6
        assert settled.charge(RESULTS, None) == settled.bucket

    def test_sizes_beyond_the_calendar_are_a_year(self) -> None:
        after = budget(paced_to=NOW).after(10**18)
        assert after.paced_to == NOW + timedelta(days=365)
        refund = Settled(kind=CONFIG, charged=10**18, moved=0, moving=0)
        assert after.settle([refund]).affordable([(CONFIG, 1)]) == 1

    @pytest.mark.parametrize("known", [True, False])
    def test_the_average_keeps_to_the_limit(self, known: bool) -> None:  # noqa: FBT001 - a case
        """Dispatches every five seconds for four hours, and members that end in between."""
        chance = random.Random(20)  # noqa: S311 - not for secrets
        going, moved, largest = budget(paced_to=NOW), 0, 50 * LIMIT
        for tick in range(2_880):
            going = replace(going, now=NOW + timedelta(seconds=5 * tick))
            sizes = [chance.randint(1, largest) for _ in range(100)]
            shown = [(CONFIG, size if known else None) for size in sizes]
            page = sizes[: going.affordable(shown)]
            charged = sum(going.charge(*each) for each in shown[: len(page)])
            going = going.after(charged)
            if page:
                ended = Settled(kind=CONFIG, charged=charged, moved=sum(page), moving=len(page))
                going = going.settle([ended])
            moved += sum(page)
        allowed = LIMIT * 5 * 2_880
        assert 0.95 * allowed < moved <= allowed + going.bucket + largest

    @pytest.mark.parametrize("limit", [1, 1023, 2**41, -1])
    def test_a_limit_that_makes_no_sense_is_one_line(self, limit: int) -> None:
        with pytest.raises(InvalidRequestError, match=f"^bytes per second: {limit}: use 1KiB to"):
            check_bytes_per_second(limit)


class TestWindow:
    @pytest.mark.parametrize(
        ("hours", "hour", "opens"),
        [
            ("22:00-06:00", 21, 22),
            ("22:00-06:00", 22, 22),
            ("22:00-06:00", 3, 3),
            ("22:00-06:00", 6, 22),
            ("9:00-17:00", 8, 9),
            ("9:00-17:00", 17, 33),
            ("18:00-24:00", 23, 23),
            ("18:00-24:00", 0, 18),
        ],
    )
    def test_it_opens_every_day(self, hours: str, hour: int, opens: int) -> None:
        midnight = datetime(2026, 1, 31, tzinfo=UTC)
        now = midnight + timedelta(hours=hour)
        window = ReleaseWindow.of(hours)
        assert window.opens_at(now) == midnight + timedelta(hours=opens)
        assert window.is_open(now) is (hour == opens)

    def test_its_zone_has_summer_and_winter(self) -> None:
        window = ReleaseWindow.of("22:00-06:00", "Europe/Berlin")
        for month, hour in ((1, 21), (7, 20)):
            noon = datetime(2026, month, 1, 12, tzinfo=UTC)
            assert window.opens_at(noon) == noon.replace(hour=hour)

    def test_a_night_in_which_the_clock_is_put_forward_is_shorter(self) -> None:
        window = ReleaseWindow.of("22:00-06:00", "Europe/Berlin")
        noon = datetime(2026, 3, 28, 12, tzinfo=UTC)
        assert window.open_time(noon, noon + timedelta(days=1)) == timedelta(hours=7)
        # And a window within the missing hour is at 3:15 by the new clock
        missing = ReleaseWindow.of("02:15-02:45", "Europe/Berlin")
        assert missing.opens_at(noon) == datetime(2026, 3, 29, 1, 15, tzinfo=UTC)

    def test_work_rests_outside_of_it(self) -> None:
        # When ten hours of work begin at six in the evening
        end = NIGHT.end_of(timedelta(hours=10), NOW)
        # Then
        assert end == NOW + timedelta(days=1, hours=6)
        assert NIGHT.open_time(NOW, end) == timedelta(hours=10)
        assert NIGHT.end_of(timedelta(days=100_000), NOW) is None

    @pytest.mark.parametrize(
        ("hours", "zone", "said"),
        [
            ("22-06", "UTC", "22-06: use hours such as 22:00-06:00"),
            ("25:00-06:00", "UTC", "use hours such as"),
            ("22:00-24:30", "UTC", "use hours such as"),
            ("", "UTC", "use hours such as"),
            ("06:00-06:00", "UTC", "begin and end are the same"),
            ("22:00-06:00", "Europe/Berlyn", "'Europe/Berlyn' is no time zone"),
            ("22:00-06:00", "../etc/passwd", "no time zone that this host knows"),
            ("22:00-06:00", "Europe", "no time zone that this host knows"),
            ("22:00-06:00", "x" * 300, "no time zone that this host knows"),
        ],
    )
    def test_what_makes_no_sense_is_one_line(self, hours: str, zone: str, said: str) -> None:
        with pytest.raises(InvalidRequestError, match=said) as refused:
            ReleaseWindow.of(hours, zone)
        assert "\n" not in str(refused.value)

    def test_it_reads_as_it_is_given(self) -> None:
        assert (str(NIGHT), str(ALWAYS)) == ("22:00-06:00 UTC", "any hour")
        assert ReleaseWindow.of("always") == ALWAYS
        assert ReleaseWindow.of("9:00-24:00") == ReleaseWindow(time(9), time(0))


def test_the_estimate_counts_the_hours_of_the_window() -> None:
    # Given a batch that did a quarter in the two hours until midnight
    start = datetime(2026, 1, 31, 18, tzinfo=UTC)
    batch = Batch(
        id=1,
        state=BatchState.RUNNING,
        requested_by="tests",
        reason="a test",
        filter=BatchFilter(),
        members=28_800,
        requested_at=start,
        started_at=start,
        between=NIGHT,
    )
    progress = BatchProgress(
        batch=batch,
        outcomes={Outcome.DONE: 7_200, Outcome.PENDING: 21_600},
        as_of=start.replace(hour=0) + timedelta(days=1),
    )
    # Then six hours are left, until the window closes
    assert (progress.per_second, progress.left) == (1.0, timedelta(hours=6))
    assert progress.continues_at is None
    # And at noon the rest waits for the evening
    noon = replace(progress, as_of=start.replace(hour=12) + timedelta(days=1))
    assert noon.continues_at == start.replace(hour=22) + timedelta(days=1)
