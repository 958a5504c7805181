"""Archives that would do harm are refused, and leave nothing behind."""

import random
import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifact_pipeline.domain.errors import UnsafeArchiveError
from tests.workspace.extract_steps import INTO, Make, extract, files, names, pack, tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "job_12").mkdir()
    return tmp_path


def named(name: str, host: int = 3) -> Make:
    def make(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo(name)
        info.create_system = host
        archive.writestr(info, "x")

    return make


def special(mode: int) -> Make:
    def make(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("RUN1/link")
        info.create_system = 3
        info.external_attr = mode << 16
        archive.writestr(info, "/etc/passwd")

    return make


def twice(first: str, second: str) -> Make:
    def make(archive: zipfile.ZipFile) -> None:
        for name in (first, second):
            # Not by writestr, which warns of what is tested here.
            archive.NameToInfo.pop(name, None)
            archive.writestr(zipfile.ZipInfo(name), "x")

    return make


HARMFUL = {
    "absolute": (named("/etc/passwd"), "absolute"),
    "a drive": (named("C:evil"), "absolute"),
    "upwards": (named("RUN1/../../../evil"), "leads elsewhere"),
    "upwards at the end": (named("RUN1/.."), "leads elsewhere"),
    "two slashes": (named("RUN1//a"), "leads elsewhere"),
    "a backslash of DOS": (named("RUN1\\..\\evil", host=0), "leads elsewhere"),
    "a backslash of NTFS": (named("\\evil", host=10), "absolute"),
    "a deep path": (named("/".join(["d"] * 1001)), "too deep"),
    "a reserved name": (named(".extracting/a"), "reserved"),
    "a reserved name in capitals": (named(".Extracting-OLD/a"), "reserved"),
    "a link": (special(stat.S_IFLNK | 0o777), "a link or a special file"),
    "a device": (special(stat.S_IFCHR | 0o666), "a link or a special file"),
    "a socket": (special(stat.S_IFSOCK | 0o666), "a link or a special file"),
    "a file again under a dot": (twice("RUN1/a", "./RUN1/./a"), "another entry has its name"),
    "two slashes alone": (named("//"), "absolute"),
    "dots upwards": (named("./../a"), "leads elsewhere"),
    "a directory that is named as a file": (special(stat.S_IFDIR | 0o755), "a link or a special"),
    "a name twice": (twice("RUN1/a", "RUN1/a"), "another entry has its name"),
    "a file as a directory": (twice("RUN1/a", "RUN1/a/b"), "another entry has its name"),
    "a directory as a file": (twice("RUN1/a/", "RUN1/a"), "another entry has its name"),
}


def after_a_harmless_one(make: Make) -> Make:
    def make_both(archive: zipfile.ZipFile) -> None:
        archive.writestr("RUN1/before", "x")
        make(archive)

    return make_both


class TestHarmful:
    @pytest.mark.parametrize(("make", "said"), HARMFUL.values(), ids=HARMFUL.keys())
    def test_it_is_refused_and_nothing_appears(self, root: Path, make: Make, said: str) -> None:
        pack(root, after_a_harmless_one(make))
        with pytest.raises(UnsafeArchiveError, match=rf"run_results .* entry [23]: .*{said}"):
            extract(root)
        assert not (root / INTO).exists()

    def test_a_nul_in_a_name(self, root: Path) -> None:
        path = pack(root, named("RUN1/axb"))
        path.write_bytes(path.read_bytes().replace(b"axb", b"a\0b"))
        with pytest.raises(UnsafeArchiveError):
            extract(root)

    def test_an_encrypted_entry(self, root: Path) -> None:
        path = pack(root, files(RUN1__a="x"))
        content = bytearray(path.read_bytes())
        for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            content[content.index(signature) + flags] |= 1
        path.write_bytes(content)
        with pytest.raises(UnsafeArchiveError, match="entry 1: it is encrypted"):
            extract(root)

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_another_method(self, root: Path, method: int) -> None:
        pack(root, lambda archive: archive.writestr("RUN1/a", "x", compress_type=method))
        with pytest.raises(UnsafeArchiveError, match="unknown method"):
            extract(root)

    @pytest.mark.parametrize("kept", [0, 10, -1, -30])
    def test_one_that_is_cut_off(self, root: Path, kept: int) -> None:
        path = pack(root, files(RUN1__a="x" * 100))
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(UnsafeArchiveError):
            extract(root)

    def test_bytes_that_are_not_those_that_were_packed(self, root: Path) -> None:
        path = pack(root, lambda archive: archive.writestr("RUN1/a", "abc", zipfile.ZIP_STORED))
        path.write_bytes(path.read_bytes().replace(b"abc", b"abd"))
        with pytest.raises(UnsafeArchiveError, match="damaged"):
            extract(root)
        assert tree(root) == {}
        assert names(root / INTO) == []


class TestBombs:
    def test_many_entries(self, root: Path) -> None:
        pack(root, files(a="", b="", c=""))
        with pytest.raises(UnsafeArchiveError, match="3 entries, and at most 2"):
            extract(root, entries=2)

    @pytest.mark.parametrize(
        ("limits", "said"),
        [
            ({"directory_bytes": 100}, "list of entries is larger than the limit of 100 bytes"),
            ({"entries": 2}, "3 entries, and at most 2"),
        ],
    )
    def test_a_long_list_of_entries_is_not_even_read(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, Any], said: str
    ) -> None:
        pack(root, files(a="", b="", c=""))
        monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it is read"))
        with pytest.raises(UnsafeArchiveError, match=said):
            extract(root, **limits)

    def test_a_number_of_entries_that_is_a_lie(self, root: Path) -> None:
        # Given a record at the end that says one entry
        path = pack(root, files(a="", b="", c=""))
        content = bytearray(path.read_bytes())
        end = content.rindex(b"PK\5\6")
        content[end + 8 : end + 12] = struct.pack("<HH", 1, 1)
        path.write_bytes(content)
        # When / Then
        with pytest.raises(UnsafeArchiveError, match="3 entries, and at most 2"):
            extract(root, entries=2)

    def test_many_bytes(self, root: Path) -> None:
        pack(root, files(a="x" * 60, b="x" * 60))
        with pytest.raises(UnsafeArchiveError, match="larger than the limit of 100 bytes"):
            extract(root, total_bytes=100)

    def test_a_few_names_that_make_many_directories(self, root: Path) -> None:
        pack(root, files(**{f"{n}__{'d__' * 400}f": "" for n in range(3)}))
        with pytest.raises(UnsafeArchiveError, match="entry 3: more than 1000 files and direc"):
            extract(root, entries=1000)

    @pytest.mark.parametrize("claimed", [10, 200_000])
    def test_a_size_that_is_a_lie(self, root: Path, claimed: int) -> None:
        path = pack(root, files(RUN1__a="\0" * 100_000))
        path.write_bytes(path.read_bytes().replace(*_sizes(100_000, claimed)))
        with pytest.raises(UnsafeArchiveError):
            extract(root)
        assert tree(root) == {}

    def test_entries_that_share_their_bytes(self, root: Path) -> None:
        path = pack(root, files(RUN1__a="x" * 100, RUN1__b="x" * 100))
        content = bytearray(path.read_bytes())
        second = content.rindex(b"PK\1\2")
        content[second + 42 : second + 46] = struct.pack("<I", 0)
        path.write_bytes(content)
        with pytest.raises(UnsafeArchiveError, match="share bytes"):
            extract(root)


def _sizes(size: int, claimed: int) -> tuple[bytes, bytes]:
    return struct.pack("<I", size), struct.pack("<I", claimed)


@given(seed=st.integers(0, 2**32), flips=st.integers(1, 20))
def test_whatever_the_bytes_are_nothing_is_written_outside(seed: int, flips: int) -> None:
    # Given an archive, of which some bytes are others
    chance = random.Random(seed)  # noqa: S311 - the same again
    with TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "job_12").mkdir()
        path = pack(root, files(RUN1__a="x" * 50, RUN1__b__c="y" * 50, RUN2__a=""))
        content = bytearray(path.read_bytes())
        for _ in range(flips):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content)
        with suppress(UnsafeArchiveError):
            extract(root)
        # Then all that there is lies where it should
        outside = [
            found
            for found in root.rglob("*")
            if found.is_file() and found != path and not found.is_relative_to(root / INTO)
        ]
        assert outside == []
        assert not (root / INTO / ".extracting").exists()
