"""The dashboard of Grafana."""

import json
import re
from itertools import combinations
from typing import Any

import pytest
import yaml

from artifact_pipeline.worker.cli.metrics import _DEFAULT
from artifact_pipeline.worker.metrics.catalogue import BUILD, METRICS
from tests.image import ROOT
from tests.metrics.used_metrics import unknown_names

MONITORING = ROOT / "deploy/monitoring"
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target for panel in PANELS for target in panel["targets"]]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query["expr"])
def test_a_query_uses_what_the_exporter_has(query: dict[str, Any]) -> None:
    assert unknown_names(query["expr"]) == set()
    shown = re.findall(r"\{\{(\w+)\}\}", query["legendFormat"])
    assert not [label for label in shown if label not in labels_of(query["expr"])]


def labels_of(expression: str) -> set[str]:
    return {label for each in METRICS if each.name in expression for label in each.labels}


def test_every_metric_is_on_it() -> None:
    shown = "\n".join(query["expr"] for query in QUERIES)
    assert [each.name for each in METRICS if each.name not in shown] == [BUILD.name]


def test_its_panels_are_told_apart_and_lie_beside_each_other() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert not [pair for pair in combinations(places, 2) if overlap(*pair)]


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "w"), ("y", "h"))
    )


def test_every_panel_says_what_it_shows_and_takes_the_chosen_prometheus() -> None:
    [variable] = DASHBOARD["templating"]["list"]
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["datasource"]["uid"] == f"${{{variable['name']}}}"


def test_the_example_scrapes_where_the_exporter_listens() -> None:
    example = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    [job] = example["scrape_configs"]
    assert job["static_configs"] == [{"targets": [_DEFAULT]}]
    assert [(MONITORING / name).is_file() for name in example["rule_files"]] == [True]
