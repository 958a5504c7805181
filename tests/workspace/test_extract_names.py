"""The names in zips that others have made, and archives that only look harmful."""

import shutil
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest

from artifact_pipeline.domain.errors import InvalidRequestError, UnsafeArchiveError
from artifact_pipeline.worker.workspace.stored_names import check_encoding
from tests.workspace.extract_steps import ARCHIVE, INTO, Make, extract, pack, tree

ZIP = shutil.which("zip")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "job_12").mkdir()
    return tmp_path


class RawName(zipfile.ZipInfo):
    """An entry whose name is written as these bytes, without the flag of UTF-8."""

    raw: bytes

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - zipfile's
        return self.raw, self.flag_bits & ~0x800  # which Python 3.14 sets


def raw(name: bytes, unicode_path: bytes = b"", host: int = 3) -> Make:
    def make(archive: zipfile.ZipFile) -> None:
        info = RawName("x")
        info.raw, info.create_system, info.extra = name, host, unicode_path
        archive.writestr(info, "x")

    return make


def field(name: str, crc: int) -> bytes:
    content = struct.pack("<BI", 1, crc) + name.encode()
    return struct.pack("<HH", 0x7075, len(content)) + content


FULL = "RUN1/größe.csv"
DOS = FULL.encode("cp437")


class TestNames:
    @pytest.mark.parametrize(
        ("make", "name"),
        [
            (lambda archive: archive.writestr(FULL, "x"), FULL),
            (raw(DOS, field("RUN1/数.csv", zlib.crc32(DOS))), "RUN1/数.csv"),
            (raw(DOS, field("RUN1/数.csv", 1)), FULL),
            (raw("RUN1/数.csv".encode()), "RUN1/数.csv"),
            (raw(DOS), FULL),
        ],
        ids=["the flag", "the field", "a field of another name", "UTF-8", "cp437"],
    )
    def test_a_name_is_taken_as_it_was_meant(self, root: Path, make: Make, name: str) -> None:
        pack(root, make)
        extract(root)
        assert tree(root) == {name: "x"}

    @pytest.mark.parametrize(
        ("name", "encoding", "meant"),
        [
            ("RUN1/größe.csv".encode("latin-1"), "latin-1", "RUN1/größe.csv"),
            ("RUN1/表示.csv".encode("shift_jis"), "shift_jis", "RUN1/表示.csv"),
            ("RUN1\\表示.csv".encode("cp932"), "cp932", "RUN1/表示.csv"),
        ],
    )
    def test_a_name_of_which_the_encoding_is_given(
        self, root: Path, name: bytes, encoding: str, meant: str
    ) -> None:
        pack(root, raw(name, host=0))
        extract(root, encoding=encoding)
        assert tree(root) == {meant: "x"}

    def test_a_name_that_is_not_in_the_given_encoding(self, root: Path) -> None:
        pack(root, raw(b"RUN1/\x81"))
        with pytest.raises(UnsafeArchiveError, match="entry 1: its name is not shift_jis; give"):
            extract(root, encoding="shift_jis")

    @pytest.mark.parametrize("name", ["klingon", "rot13", "utf-16", "cp037", "", "a\0b", "hex"])
    def test_what_is_no_encoding_of_names(self, name: str) -> None:
        with pytest.raises(InvalidRequestError, match="is not an encoding of file names"):
            check_encoding(name)


def entries(*names: str, host: int = 3) -> Make:
    def make(archive: zipfile.ZipFile) -> None:
        for name in names:
            # Not by writestr, which warns of what is tested here.
            archive.NameToInfo.pop(name, None)
            info = zipfile.ZipInfo(name)
            info.create_system = host
            archive.writestr(info, "" if name[-1] in "/\\" else "x")

    return make


HARMLESS = {
    "dots": (entries("./", "./RUN1/", "./RUN1/./a"), {"RUN1/a": "x"}),
    "a directory twice": (entries("RUN1/", "RUN1/a", "RUN1/"), {"RUN1/a": "x"}),
    "a lone slash": (entries("/", "RUN1/a"), {"RUN1/a": "x"}),
    "Windows": (entries("RUN1\\", "RUN1\\b\\a", host=0), {"RUN1/b/a": "x"}),
    "a backslash of UNIX": (entries("RUN1/a\\d"), {"RUN1/a\\d": "x"}),
}


class TestHarmless:
    @pytest.mark.parametrize(("make", "unpacked"), HARMLESS.values(), ids=HARMLESS.keys())
    def test_it_is_taken(self, root: Path, make: Make, unpacked: dict[str, str]) -> None:
        pack(root, make)
        extract(root)
        assert tree(root) == unpacked

    def test_nothing_but_zeros(self, root: Path) -> None:
        def make(archive: zipfile.ZipFile) -> None:
            with archive.open("RUN1/zeros", "w") as target:
                for _ in range(101):
                    target.write(bytes(2**20))

        pack(root, make)
        assert extract(root).bytes == 101 * 2**20
        assert (root / INTO / "RUN1/zeros").stat().st_size == 101 * 2**20

    @pytest.mark.processes
    @pytest.mark.skipif(ZIP is None, reason="Info-ZIP is not installed")
    @pytest.mark.parametrize("make", [["x", "-"], ["-", "-"]], ids=["to a file", "to a pipe"])
    def test_what_was_zipped_as_it_came(self, root: Path, make: list[str]) -> None:
        packed = subprocess.run(
            [str(ZIP), "-q", *make], input=b"abc", cwd=root, capture_output=True, check=True
        )
        written = packed.stdout or (root / "x.zip").read_bytes()
        (root / ARCHIVE).write_bytes(written)
        extract(root)
        assert tree(root) == {"-": "abc"}

    def test_what_came_out_of_a_pipe(self, root: Path) -> None:
        # Given the entry that `zip x -` makes: a FIFO, its sizes behind its bytes
        def make(archive: zipfile.ZipFile) -> None:
            info = zipfile.ZipInfo("-")
            info.external_attr = 0o010600 << 16
            info.flag_bits = 8
            archive.writestr(info, "abc")

        pack(root, make)
        extract(root)
        assert tree(root) == {"-": "abc"}
