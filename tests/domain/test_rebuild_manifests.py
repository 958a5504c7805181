"""Manifests that a rebuild meets: good ones, old ones and those that it must not believe."""

import json
from dataclasses import replace
from typing import Any

import pytest

from artifact_pipeline.domain.model.artifacts import Scheme
from artifact_pipeline.domain.model.rebuilt import RebuildFault
from tests.domain.rebuilding import DIRECTORY, MANIFEST, Lost, faults
from tests.domain.world import CONFIG, CONFIG_KEY, RESULTS


@pytest.fixture
def lost() -> Lost:
    return Lost()


def changed(content: bytes, **fields: Any) -> bytes:
    return json.dumps({**json.loads(content), **fields}).encode()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda _: b"\xff{", "is not a valid manifest"),
        (lambda _: b"[" * 100_000, "is not a valid manifest"),
        (lambda _: b"{}", "no 'schema_version'"),
        (lambda each: changed(each, schema_version=2), "its schema_version is 2"),
        (lambda each: changed(each, directory="jobs/13/"), "directory is 'jobs/13/'"),
        (lambda each: changed(each, artifacts=[12]), "is not a valid manifest"),
        (lambda each: each.replace(b"job_config.json", b"../passwd"), "name is '../passwd'"),
        (lambda each: each.replace(b'"sha256": "', b'"sha256": "x'), "sha256 is 'x"),
        (lambda each: each.replace(b'"job_id": 12', b'"job_id": 0'), "job_id must be"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_reported(lost: Lost, spoil: Any, said: str) -> None:
    # Given
    lost.write_manifests()
    lost.world.store.objects[MANIFEST] = spoil(lost.world.store.objects[MANIFEST])
    # When
    _, left = lost.run()
    # Then its artifacts are looked at
    assert faults(left) == {MANIFEST: RebuildFault.BAD_MANIFEST}
    assert said in left[0].error
    assert lost.rows.keys() == lost.before.keys()


def test_a_kind_of_a_later_version_is_left_out(lost: Lost) -> None:
    lost.write_manifests()
    manifest = lost.world.store.objects[MANIFEST]
    lost.world.store.objects[MANIFEST] = manifest.replace(b'"job_config"', b'"run_film"')
    _, left = lost.run()
    assert left == []
    assert lost.rows.keys() == lost.before.keys()


def test_a_place_of_the_old_rule_is_recorded_if_the_manifest_names_it(lost: Lost) -> None:
    # Given an artifact that lies elsewhere, and one that is there and elsewhere
    old = "jobs/12/2025/11/01/000000/"
    world = lost.world
    for artifact, name in ((CONFIG, "job_config.json"), (RESULTS, "run_4_results.zip")):
        row = world.artifacts.rows[artifact]
        world.store.objects[old + name] = world.store.objects[row.object.key]
        there = replace(row.object, key=old + name)
        world.artifacts.rows[artifact] = replace(row, object=there, scheme=Scheme.LEGACY)
    del world.store.objects[CONFIG_KEY]
    lost.write_manifests()
    # When
    counts, left = lost.run()
    # Then
    assert left == []
    assert (lost.rows[CONFIG].object.key, lost.rows[CONFIG].scheme) == (
        f"{old}job_config.json",
        Scheme.LEGACY,
    )
    assert lost.rows[RESULTS].object.key == f"{DIRECTORY}run_4_results.zip"
    assert counts["elsewhere"] == 2
