"""Metrics of Prometheus made from the catalogue."""

from collections.abc import Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from artifact_pipeline.domain.maintenance.pipeline_metrics import BUCKETS, Distribution
from artifact_pipeline.worker.metrics.catalogue import MetricSpec, MetricType

Labels = tuple[str, ...]


def family(spec: MetricSpec, values: Mapping[Labels, float]) -> Metric:
    """Return a gauge or counter.

    Args:
        spec: its row of the catalogue.
        values: by the values of its labels, in the order of the catalogue.
    """
    made: CounterMetricFamily | GaugeMetricFamily
    if spec.type is MetricType.COUNTER:
        made = CounterMetricFamily(spec.name, spec.meaning, labels=spec.labels)
    else:
        made = GaugeMetricFamily(spec.name, spec.meaning, labels=spec.labels)
    for labels, value in values.items():
        made.add_metric(labels, value)
    return made


def histogram(spec: MetricSpec, values: Mapping[Labels, Distribution]) -> Metric:
    """Return a histogram. Args: as of `family`."""
    made = HistogramMetricFamily(spec.name, spec.meaning, labels=spec.labels)
    for labels, found in values.items():
        made.add_metric(labels, buckets=list(_buckets(found)), sum_value=found.seconds)
    return made


def _buckets(found: Distribution) -> Iterable[tuple[str, float]]:
    for bound, number in zip(BUCKETS, found.within, strict=True):
        yield str(bound), number
    yield "+Inf", found.observations
