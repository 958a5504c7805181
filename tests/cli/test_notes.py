"""What a command that serves tells beside its answer."""

import json

import pytest

from artifact_pipeline.worker.cli.notes import notes_of


def test_a_note_is_text_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    notes_of("agent", "console")("serves the workspace sim-1")
    assert capsys.readouterr().err == "artifacts agent: serves the workspace sim-1\n"


def test_or_a_line_of_json_for_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    notes_of("agent", "json")("serves the workspace sim-1 100 %")
    [line] = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert (said["event"], said["level"]) == ("serves the workspace sim-1 100 %", "info")
