"""A commit beside the sources of today: whose code is measured, and what is said of a mistake."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.against import comparison, confidence_interval, extract, main
from benchmarks.contestant import ContestantError, contestant
from benchmarks.figures import Unit
from benchmarks.revisions import RevisionError, commit_of

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
ANSWERS = """
import json, os, sys
from pathlib import Path
print(json.dumps(str(Path({code!r}).resolve())), flush=True)
with os.fdopen(int(sys.argv[3]), "rb") as asked:
    for number, _ in enumerate(asked, 1):
        if number > {rounds}:
            sys.exit(3)
        print(json.dumps({{"uploads/s": number}}), flush=True)
Path("ended").touch()
"""


def git(repository: Path, *arguments: str) -> str:
    command = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments)
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit: a module, a link to it, and a benchmark of then."""
    made = tmp_path / "repository"
    (made / "benchmarks").mkdir(parents=True)
    (made / "module.py").write_text("VERSION = 1\n")
    (made / "link.py").symlink_to("module.py")
    (made / "benchmarks/old.py").touch()
    git(made, "init", "--quiet")
    git(made, "add", "--all")
    git(made, "commit", "--quiet", "--message", "Begin")
    return made


def sources(directory: Path, *, code: str = "here.py", rounds: int = 9) -> Path:
    """Write sources whose benchmark says which code it runs, and counts its rounds."""
    (directory / "benchmarks").mkdir(parents=True)
    script = ANSWERS.format(code=code, rounds=rounds)
    (directory / "benchmarks/contestant.py").write_text(script)
    return directory


class TestSourcesOfACommit:
    def test_they_are_the_commits_with_the_benchmarks_of_today(
        self, repository: Path, tmp_path: Path
    ) -> None:
        # Given a change that is not committed
        (repository / "module.py").write_text("VERSION = 2\n")
        # When
        extract(commit_of("HEAD", repository), repository, tmp_path / "tree")
        # Then
        tree = tmp_path / "tree"
        assert (tree / "link.py").read_text() == "VERSION = 1\n"
        assert not (tree / "benchmarks/old.py").exists()
        against = "benchmarks/against.py"
        assert (tree / against).read_bytes() == (ROOT / against).read_bytes()

    def test_a_commit_may_be_named_in_short(self, repository: Path) -> None:
        whole = git(repository, "rev-parse", "HEAD")
        assert commit_of(whole[:9], repository) == whole

    @pytest.mark.parametrize("name", ["v9", "HEAD~7", "--all", ""])
    def test_a_name_without_a_commit_is_refused(self, repository: Path, name: str) -> None:
        with pytest.raises(RevisionError, match=f"^'{name}': no commit in "):
            commit_of(name, repository)

    def test_outside_a_repository_git_says_why(self, tmp_path: Path) -> None:
        with pytest.raises(RevisionError, match=r"^'HEAD': fatal: not a git repository"):
            commit_of("HEAD", tmp_path)


class TestContestant:
    def test_it_measures_once_for_each_time_it_is_asked(self, tmp_path: Path) -> None:
        # Given
        tree = sources(tmp_path / "tree")
        # When
        with contestant(tree, "small", "sqlite://") as started:
            measured = [started.measure(), started.measure()]
        # Then
        assert measured == [{Unit.UPLOADS: 1}, {Unit.UPLOADS: 2}]
        # And it was let end by itself
        assert (tree / "ended").exists()

    def test_code_from_elsewhere_is_not_measured(self, tmp_path: Path) -> None:
        tree = sources(tmp_path / "tree", code="../elsewhere.py")
        with (
            pytest.raises(ContestantError, match=r"elsewhere\.py was imported instead of"),
            contestant(tree, "small", "sqlite://"),
        ):
            pytest.fail("it was measured")

    def test_one_that_ends_early_is_one_line(self, tmp_path: Path) -> None:
        # Given one that ends in its second round
        tree = sources(tmp_path / "tree", rounds=1)
        with contestant(tree, "small", "sqlite://") as started:
            started.measure()
            # When
            with pytest.raises(ContestantError) as failed:
                started.measure()
        # Then
        assert str(failed.value) == "the benchmark ended with status 3; its error is above"


class TestComparison:
    def test_sides_are_compared_round_by_round(self) -> None:
        # Given rounds of a machine that becomes slower, in which here is always twice as fast
        rounds = [
            {"here": {Unit.UPLOADS: 2 * speed}, "there": {Unit.UPLOADS: speed}}
            for speed in (1000.0, 500.0, 100.0)
        ]
        # When one of them was disturbed
        rounds.append({"here": {Unit.UPLOADS: 40.0}, "there": {Unit.UPLOADS: 80.0}})
        # Then
        said = comparison(Unit.UPLOADS, rounds, "958dfc2")
        assert said == "600.0 uploads/s, 958dfc2 300.0: 2.00 (0.50 to 2.00)"

    @pytest.mark.parametrize(
        ("count", "low", "high"),
        [(2, 1, 2), (5, 1, 5), (6, 1, 6), (8, 1, 8), (9, 2, 8), (20, 6, 15)],
    )
    def test_the_interval_is_that_of_statisticians_tables(
        self, count: int, low: int, high: int
    ) -> None:
        values = [float(rank) for rank in range(count, 0, -1)]
        assert confidence_interval(values) == (low, high)

    def test_one_round_has_no_spread(self) -> None:
        rounds = [{"here": {Unit.MESSAGE: 1000.0}, "there": {Unit.MESSAGE: 1250.0}}]
        said = comparison(Unit.MESSAGE, rounds, "958dfc2")
        assert said == "1,000.0 bytes of message, 958dfc2 1,250.0: 0.80"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-commit"], "benchmarks.against: 'no-such-commit': no commit in "),
        (["HEAD", "nonsense"], "no such work: nonsense; known: counts, small, "),
        (["HEAD", "--rounds", "0"], "--rounds 0: at least 1 is needed"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Given
    monkeypatch.setattr("sys.argv", ["against", *arguments])
    # When
    with pytest.raises(SystemExit) as ended:
        main()
    # Then
    assert said in f"{ended.value.code}{capsys.readouterr().err}"
