"""What holds of the image; that its first stage builds is shown by whoever takes `image`."""

import json
import re
from pathlib import Path

import pytest

from tests.image import DOCKERFILE, ROOT, Instruction, stages

BUILD, FINAL = stages(DOCKERFILE)
COPIES = [
    instruction.argument
    for instruction in (*BUILD, *FINAL)
    if instruction.name == "COPY" and "--from" not in instruction.argument
]
COPIED = {name for argument in COPIES for name in argument.split()[:-1]}


def arguments(stage: list[Instruction], name: str) -> list[str]:
    return [instruction.argument for instruction in stage if instruction.name == name]


@pytest.mark.parametrize("stage", [BUILD, FINAL], ids=["build", "final"])
def test_the_base_is_pinned_slim_and_of_no_named_registry(stage: list[Instruction]) -> None:
    image = stage[0].argument.split()[0]
    assert re.fullmatch(r"python:3\.11-slim-\w+", image)


def test_it_runs_as_nobody_special_and_without_a_shell() -> None:
    assert FINAL[-2] == Instruction("USER", "artifacts")
    assert json.loads(arguments(FINAL, "CMD")[0]) == ["artifacts", "--help"]
    assert arguments(FINAL, "ENTRYPOINT") == []


def test_what_installs_is_not_in_it() -> None:
    (run,) = arguments(FINAL, "RUN")
    assert run.startswith("pip uninstall")
    assert not re.search(r"\b(apt|apt-get|install|gcc)\b", run)
    assert any("venv --without-pip /opt/venv" in run for run in arguments(BUILD, "RUN"))


def test_nothing_is_installed_that_is_not_locked() -> None:
    installs = [run for run in arguments(BUILD, "RUN") if re.search(r" (install|sync|build) ", run)]
    assert len(installs) == 4
    assert all("--require-hashes" in run or "--no-index" in run for run in installs)


def test_nothing_is_resolved_that_could_find_a_newer_release() -> None:
    installs = [run for run in arguments(BUILD, "RUN") if " install " in run]
    assert len(installs) == 2
    assert all("--no-deps" in run for run in installs)
    assert any(" sync " in run for run in arguments(BUILD, "RUN"))


def test_what_is_copied_is_there_and_is_all_that_the_builder_gets() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert {Path(name).parts[0] for name in COPIED} == sent
    assert all((ROOT / name).exists() for name in COPIED)
