"""What is packed can be unpacked: the same tree, or a refusal that names the file at once."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact_pipeline.domain.errors import SourceInvalidError
from artifact_pipeline.domain.redaction import redact
from artifact_pipeline.worker.workspace import Workspace
from tests.workspace.deep_trees import contents, write
from tests.workspace.extract_steps import ARCHIVE, INTO, RESULTS, extract, names

_PART = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20)
# Legal everywhere, and each has been refused by some tool.
_ODD = st.sampled_from(
    [
        "a\\b",
        "C:\\x",
        "two\nlines",
        "t\tb",
        "cr\r",
        "\x7f",
        "\x1b[2J",
        "\u0085",
        "e\u0301",
        "-rf",
        "…. ",
    ]
)
# The first letter keeps a file from standing where another's directory does.
_NAMES = st.builds(
    lambda above, leaf: "/".join(["RUN1", *(f"d{part}" for part in above), f"f{leaf}"]),
    st.lists(_PART | _ODD, max_size=4),
    _PART | _ODD,
)


def round_trip(root: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Pack the files of a run's results, and unpack them elsewhere."""
    source = Workspace(root).path(RESULTS)
    source.mkdir(parents=True)
    for name, content in files.items():
        write(source, name, content)
    elsewhere = root / "elsewhere"
    (elsewhere / ARCHIVE.parent).mkdir(parents=True, exist_ok=True)
    (elsewhere / ARCHIVE).write_bytes(b"".join(Workspace(root).source(RESULTS).chunks()))
    extract(elsewhere)
    return contents(elsewhere / INTO)


@given(
    files=st.dictionaries(_NAMES, st.binary(max_size=50), min_size=1, max_size=6),
    empty=st.lists((_PART | _ODD).map(lambda part: f"RUN2/e{part}/"), max_size=2),
)
@settings(max_examples=60, deadline=None)
def test_what_is_packed_comes_out_again(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], empty: list[str]
) -> None:
    tree = {**files, **dict.fromkeys(empty, b"")}
    assert round_trip(tmp_path_factory.mktemp("w"), tree) == tree


@pytest.mark.parametrize(
    "name",
    [
        "/".join(["RUN1", *["d"] * 64, "out.csv"]),
        "/".join(["RUN1", *["d"] * 400, "out.csv"]),
        "/".join(["RUN1", *["x" * 250] * 17, "out.csv"]),
        "RUN1/C:\\temp\\x/out.csv",
        "RUN1/.extracting/out.csv",
        "RUN1/" + "n" * 255,
    ],
    ids=lambda name: f"{name[:12]} {len(name)}",
)
def test_deep_and_long_paths_come_out_again(tmp_path: Path, name: str) -> None:
    assert round_trip(tmp_path, {name: b"1"}) == {name: b"1"}


def test_a_deep_tree_gives_way_to_another(tmp_path: Path) -> None:
    # Given a tree that is deeper than a path may be long, where results are unpacked
    (tmp_path / "elsewhere" / INTO / "RUN1").mkdir(parents=True)
    write(tmp_path / "elsewhere" / INTO, "/".join(["RUN1", *["x" * 250] * 30, "old"]), b"old")
    # When they replace it
    round_trip(tmp_path, {"RUN1/new": b"new"})
    extract(tmp_path / "elsewhere", replace=True)
    # Then nothing of it is left
    assert contents(tmp_path / "elsewhere" / INTO) == {"RUN1/new": b"new"}
    assert names(tmp_path / "elsewhere" / INTO) == ["RUN1"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (os.fsdecode(b"RUN1/sub\n/caf\xe9.csv"), r"not UTF-8: 'RUN1/sub\\n/caf\\xe9.csv'"),
        (os.fsdecode(b"RUN1/a (1)/caf\xe9.csv"), r"not UTF-8: 'RUN1/a \(1\)/caf\\xe9.csv'"),
        (
            "/".join(["RUN1", *["d"] * 100, "out.csv"]),
            "too deep, .*: 'RUN1/d/.*[.]{3}.*/out.csv'",
        ),
    ],
)
def test_one_bad_name_among_many_names_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    # Lowered, for pytest itself cannot remove a tree of that depth.
    monkeypatch.setattr("artifact_pipeline.worker.workspace.entry_names.MOST_DIRECTORIES", 100)
    source = Workspace(tmp_path).path(RESULTS)
    source.mkdir(parents=True)
    for number in range(300):
        write(source, f"RUN1/{number}.csv", b"1")
    write(source, name, b"1")
    with pytest.raises(SourceInvalidError, match=said) as refused:
        Workspace(tmp_path).source(RESULTS)
    assert len(str(refused.value).splitlines()) == 1
    # And what is kept of it in SQL still names the file
    assert redact(str(refused.value)) == str(refused.value)
