"""Metrics and labels that an expression of Prometheus uses."""

import re

from artifact_pipeline.worker.metrics.catalogue import METRICS, MetricType

_METRIC = re.compile(r"\b(?:artifacts|celery)_[a-z_]+")
_MATCHED = re.compile(r"(\w+)(?:=~|!~|!=|=)\"")
_GROUPED = re.compile(r"\b(?:by|on) \(([^)]*)\)")
_ENDS = ("_bucket", "_count", "_sum")
_SPECS = {each.name: each for each in METRICS}
# Of a histogram; and the label that `label_replace` makes.
_MADE = {"le", "queue"}


def unknown_names(expression: str) -> set[str]:
    """Return the metrics that are not in the catalogue, and labels that none of the others has."""
    names = set(_METRIC.findall(expression))
    known = {spec.name: spec for name in names if (spec := _SPECS.get(_base(name)))}
    unknown = {name for name in names if _base(name) not in known}
    labels = {label for spec in known.values() for label in spec.labels} | _MADE
    grouped = [each.strip() for found in _GROUPED.findall(expression) for each in found.split(",")]
    used = {*_MATCHED.findall(expression), *filter(None, grouped)}
    return unknown | (used - labels)


def _base(name: str) -> str:
    base = re.sub(f"({'|'.join(_ENDS)})$", "", name)
    is_histogram = base in _SPECS and _SPECS[base].type is MetricType.HISTOGRAM
    return base if is_histogram else name
