"""What the documents say of speed is what `make bench` reported."""

from pathlib import Path

from benchmarks.figures import OURS, Figure, Unit, compared, interleaved, read_report, write_report
from benchmarks.goals import goals_table
from benchmarks.rendering import tables

ROOT = Path(__file__).parents[2]


def test_the_page_has_the_figures_of_the_report() -> None:
    reported = read_report(ROOT / "benchmarks/report.json")

    page = (ROOT / "docs/performance.md").read_text()
    assert tables(reported) in page
    assert goals_table(reported) in page
    assert len({figure.name for figure in reported}) == 18


def test_a_page_says_where_we_lose() -> None:
    loses = [
        Figure("up", ours=90, peer=100, peer_name="naive", unit=Unit.SPEED),
        Figure("up", ours=110, peer=100, peer_name="naive", unit=Unit.PEAK_MEMORY),
    ]
    wins = [
        Figure("down", ours=110, peer=100, peer_name="naive", unit=Unit.SPEED),
        Figure("down", ours=90, peer=100, peer_name="naive", unit=Unit.PEAK_MEMORY),
    ]

    assert tables(loses).count("**loses**") == len(loses)
    assert "**loses**" not in tables(wins)


def test_a_cost_too_small_to_be_told_is_no_loss() -> None:
    figure = Figure("up", ours=0.0, peer=0.2, peer_name="naive", unit=Unit.BROKER_CPU)
    assert "**loses**" not in tables([figure])


def test_contenders_take_turns_and_none_is_always_first() -> None:
    # Given three contenders whose figure is the number of their turn
    turns: list[str] = []

    def turn(name: str) -> dict[Unit, float]:
        turns.append(name)
        return {Unit.SPEED: len(turns)}

    contenders = {name: lambda name=name: turn(name) for name in (OURS, "naive", "boto3")}

    # When they compete
    medians = interleaved(contenders, rounds=3)

    # Then each is first once, and its figure is its median
    assert turns == [OURS, "naive", "boto3", "naive", "boto3", OURS, "boto3", OURS, "naive"]
    assert medians == {
        OURS: {Unit.SPEED: 6},
        "naive": {Unit.SPEED: 4},
        "boto3": {Unit.SPEED: 5},
    }


def test_what_only_one_was_measured_in_is_not_compared(tmp_path: Path) -> None:
    # Given a peer whose memory nobody measured
    medians = {
        OURS: {Unit.SPEED: 50.0, Unit.PEAK_MEMORY: 100.0},
        "naive": {Unit.SPEED: 100.0},
    }

    # When they are compared, and the report of it written and read
    report = tmp_path / "report.json"
    write_report(compared("up", medians), report)

    # Then the speed is in it, with its ratio
    (figure,) = read_report(report)
    assert figure == Figure("up", 50, 100, "naive", Unit.SPEED)
    assert figure.ratio == 0.5
