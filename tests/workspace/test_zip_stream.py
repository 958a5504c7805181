import inspect
import io
import os
import stat
import struct
import sys
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact_pipeline.domain.errors import SourceEmptyError, SourceInvalidError, SourceMissingError
from artifact_pipeline.domain.ports.packed import forms_of
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.files import CHUNK
from artifact_pipeline.worker.workspace.scan import Entry, Listing
from tests.workspace.trees import RESULTS, all_of, link, plant, unzipped

_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8)
_PARTS = st.lists(_NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3)
# The leaves' first letter keeps a file from standing where another's directory does.
_FILES = st.dictionaries(
    st.builds(lambda above, leaf: "/".join(["RUN1", *(f"d{p}" for p in above), f"f{leaf}"]),
              _PARTS, _NAMES),
    st.binary(max_size=200) | st.integers(0, 70_000).map(os.urandom),
    min_size=1,
    max_size=8,
)  # fmt: skip


@given(files=_FILES)
@settings(max_examples=60, deadline=None)
def test_every_file_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("workspace")
    plant(Workspace(root).path(RESULTS), files)

    source = Workspace(root).source(RESULTS)
    content = all_of(source)

    assert unzipped(content) == files
    assert list(unzipped(content)) == sorted(files)
    assert len(content) <= source.largest_size
    assert source.exact_size is None


def test_the_largest_size_allows_for_what_deflate_cannot_make_smaller(
    workspace: Workspace, results: Path
) -> None:
    plant(results, {"RUN1/noise": os.urandom(4 * CHUNK)})

    source = workspace.source(RESULTS)

    assert 4 * CHUNK < len(all_of(source)) <= source.largest_size < 5 * CHUNK


@given(files=_FILES, order=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_creation_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], order: Random
) -> None:
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    plant(Workspace(one).path(RESULTS), files)
    shuffled = list(files.items())
    order.shuffle(shuffled)
    plant(Workspace(other).path(RESULTS), dict(shuffled))

    assert all_of(Workspace(one).source(RESULTS)) == all_of(Workspace(other).source(RESULTS))


def test_the_same_files_give_the_same_zip(tmp_path: Path) -> None:
    # Given: the same results twice
    files = {
        "RUN1/out.csv": b"day,ill\n" * 50_000,
        "RUN1/deep/er/x.bin": os.urandom(300_000),
        "RUN1/nothing": None,
        "RUN2/häßlich ☃.txt": b"",
    }
    one, other = tmp_path / "one", tmp_path / "far/away/other"
    plant(Workspace(one).path(RESULTS), files)
    # But: made in another order, elsewhere, at another time, under other permissions
    plant(Workspace(other).path(RESULTS), dict(reversed(files.items())))
    for path in Workspace(other).path(RESULTS).rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1_000_000_000, 1_000_000_000))

    first, second = Workspace(one).source(RESULTS), Workspace(other).source(RESULTS)

    # Then: the same bytes, at each reading
    assert all_of(first) == all_of(first) == all_of(second)


def test_nothing_of_the_machine_is_in_the_zip(workspace: Workspace, results: Path) -> None:
    plant(results, {"RUN1/a": b"1" * 100, "RUN1/empty": None})

    with zipfile.ZipFile(io.BytesIO(all_of(workspace.source(RESULTS)))) as archive:
        file, directory = archive.infolist()

    assert (file.filename, directory.filename) == ("RUN1/a", "RUN1/empty/")
    assert file.external_attr >> 16 == stat.S_IFREG | 0o644
    assert directory.external_attr >> 16 == stat.S_IFDIR | 0o755
    assert file.compress_type == zipfile.ZIP_DEFLATED
    for info in (file, directory):
        assert info.date_time == (1980, 1, 1, 0, 0, 0)
        assert info.create_system == 3
        assert info.extra == b""


def test_results_are_no_larger_than_by_zipfile_at_its_fastest_level(
    workspace: Workspace, results: Path
) -> None:
    content = "".join(f"{n},{n * n % 977}\n" for n in range(100_000)).encode()
    plant(results, {"RUN1/a": content})

    fast = io.BytesIO()
    with zipfile.ZipFile(fast, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("RUN1/a", content)

    present, former = forms_of(workspace.source(RESULTS))
    # The descriptor behind the streamed file is the one difference.
    assert len(all_of(former)) == len(fast.getvalue()) + 16
    assert len(all_of(present)) <= len(all_of(former)) <= present.largest_size
    assert present.largest_size == former.largest_size
    assert unzipped(all_of(present)) == unzipped(all_of(former)) == {"RUN1/a": content}


def test_only_an_empty_directory_has_an_entry(workspace: Workspace, results: Path) -> None:
    plant(results, {"RUN1/full/a": b"1", "RUN1/empty": None, "RUN2": None})

    assert list(unzipped(all_of(workspace.source(RESULTS)))) == [
        "RUN1/empty/",
        "RUN1/full/a",
        "RUN2/",
    ]


@pytest.mark.parametrize("files", [{}, {"notes/a": b"1"}, {"RUN1": b"a file"}])
def test_results_without_a_run_directory_are_missing(
    workspace: Workspace, results: Path, files: dict[str, bytes]
) -> None:
    plant(results, files)

    with pytest.raises(SourceMissingError, match="run_results of job 12 run 4: no RUN directory"):
        workspace.source(RESULTS)


def test_results_without_a_directory_are_missing(workspace: Workspace) -> None:
    with pytest.raises(SourceMissingError, match="run_results of job 12 run 4"):
        workspace.source(RESULTS)


def test_run_directories_without_a_file_are_empty(workspace: Workspace, results: Path) -> None:
    plant(results, {"RUN1": None, "RUN2/deep/er": None, "notes/a": b"1"})

    with pytest.raises(SourceEmptyError, match="run_results of job 12 run 4: no file in any RUN"):
        workspace.source(RESULTS)


def test_a_name_that_is_not_utf8_is_refused(workspace: Workspace, results: Path) -> None:
    plant(results / "RUN1", {os.fsdecode(b"caf\xe9"): b"1"})

    with pytest.raises(SourceInvalidError, match="run_results of job 12 run 4: a file name is not"):
        workspace.source(RESULTS)


def test_a_path_that_no_zip_can_hold_is_refused(workspace: Workspace, results: Path) -> None:
    # Given: a directory reached again and again through links, under ever longer names
    long = "/".join(["x" * 250] * 13)
    for n in range(22):
        plant(results / f"d{n}" / long, {"file": b"1"})
        link(results / f"d{n}" / long / "on", results / f"d{n + 1}")
    link(results / "RUN1", "d0")

    with pytest.raises(SourceInvalidError, match="too long for a zip"):
        workspace.source(RESULTS)


def test_a_deep_tree_needs_no_deep_stack(workspace: Workspace, results: Path) -> None:
    deep = "/".join(["RUN1", *"d" * 400, "file"])
    plant(results, {deep: b"1"})
    before = sys.getrecursionlimit()

    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        content = all_of(workspace.source(RESULTS))
    finally:
        sys.setrecursionlimit(before)

    assert unzipped(content) == {deep: b"1"}


def test_chunks_are_neither_tiny_nor_large(workspace: Workspace, results: Path) -> None:
    plant(results / "RUN1", {f"{n}": os.urandom(10_000) for n in range(300)})
    plant(results / "RUN2", {"large": os.urandom(9 * CHUNK)})

    *chunks, last = workspace.source(RESULTS).chunks()

    assert len(chunks) > 9
    assert all(256 * 1024 <= len(chunk) <= CHUNK for chunk in chunks)
    assert 0 < len(last) <= CHUNK


def test_a_large_result_takes_little_memory(workspace: Workspace, results: Path) -> None:
    # Given: a file that deflates well and one that does not
    plant(results, {"RUN1/noise": os.urandom(20 * CHUNK), "RUN1/zeros": b""})
    os.truncate(results / "RUN1/zeros", 60 * CHUNK)
    source = workspace.source(RESULTS)

    tracemalloc.start()
    largest = max(len(chunk) for chunk in source.chunks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert largest <= CHUNK
    assert peak < 16 * CHUNK


def test_zip64_is_taken_for_just_the_files_that_need_it(
    workspace: Workspace, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(results, {"RUN1/large": bytes(2000), "RUN1/small": bytes(10)})
    # Given: the limit lowered, to write no four GiB
    monkeypatch.setattr("zipfile.ZIP64_LIMIT", 1500)

    source = workspace.source(RESULTS)
    content = all_of(source)

    assert unzipped(content) == {"RUN1/large": bytes(2000), "RUN1/small": bytes(10)}
    assert len(content) <= source.largest_size
    assert needs_zip64(content, "RUN1/large")
    assert not needs_zip64(content, "RUN1/small")


def needs_zip64(content: bytes, name: str) -> bool:
    """Whether the local header, which is 30 bytes before the first of its names, says so."""
    header = content.index(name.encode()) - 30
    return int.from_bytes(content[header + 4 : header + 6], "little") == 45


def test_more_entries_than_a_plain_zip_can_count(
    workspace: Workspace, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: a listing of that many directories, which takes less time than to make them
    plant(results, {"RUN1/file": b"1"})
    entries = tuple(Entry(f"RUN1/{n:05}/", f"RUN1/{n:05}") for n in range(66_000))
    monkeypatch.setattr(
        "artifact_pipeline.worker.workspace.zip_stream.scan", lambda *_: Listing(entries, 0)
    )

    source = workspace.source(RESULTS)
    chunks = list(source.chunks())
    content = b"".join(chunks)

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert len(archive.infolist()) == 66_000
    assert len(content) <= source.largest_size
    assert max(map(len, chunks)) <= CHUNK


@pytest.mark.parametrize("limit", [zipfile.ZIP64_LIMIT, 1500])
def test_the_zip_can_be_read_as_it_comes(
    workspace: Workspace, results: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    files = {"RUN1/empty/": None, "RUN1/large": bytes(9000), "RUN2/ü": b"small", "RUN3/zero": b""}
    plant(results, files)
    monkeypatch.setattr("zipfile.ZIP64_LIMIT", limit)

    content = all_of(workspace.source(RESULTS))

    assert dict(streamed(content)) == {name: body or b"" for name, body in files.items()}


def streamed(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Read from the front, as a reader does that is no relative of zipfile and cannot seek."""
    at = 0
    while content[at : at + 4] == b"PK\x03\x04":
        version, flags, method, *_, name_size, extra_size = struct.unpack_from(
            "<4x3H2H3L2H", content, at
        )
        name = content[at + 30 : at + 30 + name_size].decode()
        at += 30 + name_size + extra_size
        body = b""
        if method == zipfile.ZIP_DEFLATED:
            inflate = zlib.decompressobj(-15)
            body = inflate.decompress(content[at:])
            sent = len(content) - at - len(inflate.unused_data)
            descriptor = "<4sLQQ" if version == 45 else "<4sLLL"
            found = struct.unpack_from(descriptor, content, at + sent)
            assert found == (b"PK\x07\x08", zlib.crc32(body), sent, len(body))
            assert flags & 8
            at += sent + struct.calcsize(descriptor)
        yield name, body
