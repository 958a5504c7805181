"""The figures and charts of the overview."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.responses import Response

from artifact_pipeline.worker.web.api.models.overview import Overview, Span, Throughput
from artifact_pipeline.worker.web.event_stream import event_stream
from artifact_pipeline.worker.web.pages.charts import BarChart, bar_chart
from artifact_pipeline.worker.web.pages.formats import number, size
from artifact_pipeline.worker.web.pages.frame import Frame
from artifact_pipeline.worker.web.pages.links import Links
from artifact_pipeline.worker.web.pages.visit import Visit

_EVERY_SECONDS = 2.0
"""How often the page gets what has changed: some 20 KB each time."""
_SECONDS = {Span.HOUR: 3_600, Span.DAY: 86_400, Span.WEEK: 604_800}


@dataclass(frozen=True, slots=True)
class Stat:
    """A large figure. Attributes: `href` leads to the list behind it; None if it is empty."""

    name: str
    figure: str
    href: str | None = None
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What ended within a span. Attributes: `seconds` of the span."""

    span: Span
    seconds: int
    transfers: int
    moved: int
    failures: int
    is_complete: bool


def overview_values(overview: Overview, span: Span, links: Links) -> dict[str, Any]:
    """Return the values of the template."""
    chosen = next((each for each in overview.throughput if each.span == span), None)
    return {
        "o": overview,
        "span": span,
        "spans": list(Span),
        "stats": _stats(overview, links),
        "sums": [_sums(each) for each in overview.throughput],
        "charts": [] if chosen is None else _charts(chosen),
        "buckets": [] if chosen is None else list(reversed(chosen.buckets)),
        "bucket_seconds": None if chosen is None else chosen.bucket_seconds,
        "first_bucket": _first(chosen),
    }


def _first(chosen: Throughput | None) -> datetime | None:
    return chosen.buckets[0].start if chosen and chosen.buckets else None


def _stats(overview: Overview, links: Links) -> list[Stat]:
    queues = overview.queues
    quarantined = sum(each.quarantined for each in overview.quarantine)
    up = None if overview.workers is None else sum(each.is_up for each in overview.workers)
    is_open = sum(each.is_open for each in overview.breakers)
    return [
        _stat("due", sum(q.due for q in queues), links.transfers(phase="due")),
        _stat("running", sum(q.running for q in queues), links.transfers(phase="running")),
        _stat("waiting for a retry", sum(q.retry for q in queues), links.transfers(phase="retry")),
        _stat("in quarantine", quarantined, links.url("/quarantine"), "bad"),
        Stat("workers", "?" if up is None else number(up), f"{links.url('/system')}#workers"),
        _stat("open breakers", is_open, f"{links.url('/')}#breakers", "bad"),
    ]


def _stat(name: str, value: int, href: str, tone: str = "") -> Stat:
    return Stat(name, number(value), href, tone) if value else Stat(name, "0")


def _sums(each: Throughput) -> Sums:
    return Sums(
        span=each.span,
        seconds=_SECONDS[each.span],
        transfers=sum(bucket.transfers for bucket in each.buckets),
        moved=sum(bucket.moved for bucket in each.buckets),
        failures=sum(bucket.failures for bucket in each.buckets),
        is_complete=each.is_complete,
    )


def _charts(chosen: Throughput) -> Sequence[BarChart]:
    labels = [f"{bucket.start:%Y-%m-%d %H:%M}" for bucket in chosen.buckets]
    series = (
        ("transfers", "Transfers done", [b.transfers for b in chosen.buckets], number, "good"),
        ("bytes", "Bytes moved", [b.moved for b in chosen.buckets], size, "plain"),
        ("failures", "Given up", [b.failures for b in chosen.buckets], number, "bad"),
    )
    return [
        bar_chart(name, title, values, labels=labels, shown=shown, tone=tone)
        for name, title, values, shown, tone in series
    ]


async def overview_page(visit: Visit) -> Response:
    """Return the overview."""
    overview = await visit.service.overviews.get()
    return visit.page("overview.html", **overview_values(overview, _span(visit), visit.links))


async def overview_changes(visit: Visit) -> Response:
    """Send the part that changes as server-sent events, made once for all who look at it."""
    links = Links(root=visit.links.root, path="/")
    span = _span(visit)

    def part(overview: Overview) -> str:
        frame = Frame(links=links)
        return frame.render("overview_live.html", **overview_values(overview, span, links))

    overviews = visit.service.overviews
    return event_stream(overviews, overviews.changes(f"{links.root} {span}", part, _EVERY_SECONDS))


def _span(visit: Visit) -> Span:
    asked = visit.query.get("span")
    return Span(asked) if asked in set(Span) else Span.HOUR
