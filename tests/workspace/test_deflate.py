"""The bytes of a zip: by libdeflate, and in the form of former releases by zlib."""

import hashlib
import io
import os
import random
import shutil
import stat
import subprocess
import zipfile
import zlib
from functools import cache
from pathlib import Path

import deflate
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifact_pipeline.domain.ports.packed import forms_of
from artifact_pipeline.domain.ports.workspace import Source
from artifact_pipeline.worker.workspace import Workspace
from artifact_pipeline.worker.workspace.deflate import (
    Deflated,
    DeflateStream,
    WholeDeflate,
    largest_deflated,
)
from artifact_pipeline.worker.workspace.files import CHUNK
from tests.workspace.trees import RESULTS, all_of, plant, unzipped


@cache  # made by the first test that takes one: every process collects this module
def table(lines: int, seed: int) -> bytes:
    dice = random.Random(seed)  # noqa: S311 - the same bytes in every run
    rows = (f"{n},{dice.random():.6f},{dice.randrange(1000)}\n" for n in range(lines))
    return "".join(rows).encode()


def results_files() -> dict[str, bytes | None]:
    return {
        "RUN1/empty": None,
        "RUN1/zero.txt": b"",
        "RUN1/small.csv": table(10, 1),
        "RUN1/deep/er/middle.csv": table(30_000, 2),
        "RUN2/large.csv": table(200_000, 3),
        "RUN2/ünïcöde.csv": table(2000, 4),
        "RUN3/tool.sh": b"#!/bin/sh\n",
        "RUN3/zeros": bytes(3_000_000),
    }


DIGEST = "1939ac5c42a3ae3bfc93b21f452465e4e14a16724eceb60e446eb3f480c2219e"
"""Change it only with a new form of the zip, beside the former ones."""
FORMER_DIGEST = "e06d697d390e87a5a59879f616d3a97721162cd8a9ede6ef0f2888f7769212d2"
PROBE_DIGEST = "e7c48b9a7fd50872a4a13b74c3a783dcf2f7d45d7c53a64fced719c7d273af1e"


UNZIP = shutil.which("unzip") or ""


def probe() -> str:
    """Return the digest by which a zlib is known that gives other bytes."""
    return hashlib.sha256(zlib.compress(table(200_000, 3), 1)).hexdigest()


def former(source: Source) -> Source:
    """Return the source in the form of the release before."""
    _, by_zlib = forms_of(source)
    return by_zlib


def by_zipfile(files: dict[str, bytes | None]) -> bytes:
    """Return a zip by zipfile alone, in one thread."""
    out = Unseekable()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in sorted((n if b is not None else f"{n}/", b) for n, b in files.items()):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.CRC = info.compress_size = 0
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            if content is None:
                info.external_attr = (stat.S_IFDIR | 0o755) << 16 | 0x10
                archive.mkdir(info)
                continue
            info.file_size = len(content)
            archive.writestr(info, content, zipfile.ZIP_DEFLATED, 1)
    return out.getvalue()


class Unseekable(io.BytesIO):
    def seek(self, _offset: int, _whence: int = 0) -> int:
        raise io.UnsupportedOperation


@pytest.mark.parametrize("threads", [1, 4, 64])
def test_the_former_form_has_the_bytes_that_zipfile_gives(
    tmp_path: Path, results: Path, threads: int
) -> None:
    # Given: files below and above the size up to which they are deflated ahead
    files = {**results_files(), "RUN4/above.csv": table(20_000, 5) * 20, "RUN4/b.csv": table(10, 6)}
    plant(results, files)
    # When
    source = Workspace(tmp_path / "workspace", threads=threads).source(RESULTS)
    # Then
    assert all_of(former(source)) == by_zipfile(files)


# In quotes, so that it is worked out when the test runs.
@pytest.mark.skipif("probe() != PROBE_DIGEST", reason="this zlib gives other bytes")
def test_the_former_bytes_are_those_of_all_versions(workspace: Workspace, results: Path) -> None:
    plant(results, results_files())
    (results / "RUN3/tool.sh").chmod(0o755)
    content = all_of(former(workspace.source(RESULTS)))
    assert hashlib.sha256(content).hexdigest() == FORMER_DIGEST


@pytest.mark.parametrize("threads", [1, 64])
def test_the_bytes_are_the_same_on_every_machine(
    tmp_path: Path, results: Path, threads: int
) -> None:
    # Given: files that are all deflated by libdeflate, which asks no CPU what it can do
    plant(results, results_files())
    (results / "RUN3/tool.sh").chmod(0o755)
    # When
    content = all_of(Workspace(tmp_path / "workspace", threads=threads).source(RESULTS))
    # Then
    assert hashlib.sha256(content).hexdigest() == DIGEST, f"deflate {deflate.__version__}"


@pytest.mark.processes
@pytest.mark.skipif(not UNZIP, reason="unzip is not installed")
def test_unzip_reads_it(tmp_path: Path, workspace: Workspace, results: Path) -> None:
    # Given: content by libdeflate, by zlib above 8 MiB, and stored within the stream
    files = {"RUN1/a.csv": table(20_000, 5), "RUN1/b.csv": table(20_000, 5) * 20}
    plant(results, {**files, "RUN2/noise": NOISE + table(10, 6), "RUN2/empty": b""})
    archive = tmp_path / "results.zip"
    archive.write_bytes(all_of(workspace.source(RESULTS)))
    # When
    tested = subprocess.run([UNZIP, "-t", archive], capture_output=True, text=True, check=False)
    # Then
    assert "No errors detected" in tested.stdout, tested
    assert tested.stdout.count(" OK") == 4


def deflated(*chunks: bytes, by: type[Deflated] = DeflateStream) -> bytes:
    """Return the stream of the chunks, whose sums must be right."""
    stream = by()
    content = b"".join(stream.deflate(chunks))
    assert stream.size == len(content)
    assert stream.crc == zlib.crc32(b"".join(chunks))
    return content


NOISE = random.Random(7).randbytes(CHUNK)  # noqa: S311 - the same


def text() -> bytes:
    return table(30_000, 8)


def chunks_of_all_kinds() -> list[bytes]:
    return [b"", b"1", NOISE, NOISE[:70_001], text(), bytes(CHUNK)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.deferred(lambda: st.sampled_from(chunks_of_all_kinds())), max_size=5))
def test_noise_and_text_in_any_order_come_out_again(chunks: list[bytes]) -> None:
    for by in (DeflateStream, WholeDeflate):
        inflate = zlib.decompressobj(-15)
        content = deflated(*chunks, by=by)
        assert inflate.decompress(content) == b"".join(chunks)
        assert inflate.eof
        assert not inflate.unused_data
        assert len(content) <= largest_deflated(sum(map(len, chunks)))


def test_content_with_noise_is_streamed_as_by_zlib() -> None:
    assert deflated(NOISE, text(), by=WholeDeflate) == deflated(NOISE, text())
    assert len(deflated(text(), by=WholeDeflate)) < len(deflated(text()))


def test_noise_is_stored_and_what_follows_it_is_deflated() -> None:
    assert len(NOISE) < len(deflated(NOISE)) < len(NOISE) * 1.0003
    assert NOISE[: 32 * 1024] in deflated(NOISE)
    assert len(deflated(NOISE, text())) < len(NOISE) + 0.6 * len(text())


def test_a_chunk_of_which_a_part_shrinks_is_deflated() -> None:
    mixed = NOISE[: CHUNK // 2] + bytes(CHUNK // 2)
    assert len(deflated(mixed)) < 0.51 * CHUNK


def test_an_image_among_results_is_no_larger_than_it_was(
    workspace: Workspace, results: Path
) -> None:
    image = zlib.compress(os.urandom(3 * CHUNK))
    plant(results, {"RUN1/image.png": image})
    source = workspace.source(RESULTS)
    content = all_of(source)
    assert unzipped(content) == {"RUN1/image.png": image}
    assert len(content) < len(image) * 1.001
    assert len(content) <= source.largest_size
