"""What the exporter's role needs in PostgreSQL."""

import re

import psycopg

from artifact_pipeline.worker.sql.engine import make_engine
from artifact_pipeline.worker.sql.metrics import SqlMetrics
from artifact_pipeline.worker.sql.tables import PipelineBase
from tests.databases import role
from tests.image import ROOT
from tests.metrics.steps import BREAKER_FAILURES, HOUR, LEASE

DATABASE = " ".join((ROOT / "docs/operations/database.md").read_text().split())


def test_it_reads_as_a_role_that_may_only_read_what_is_documented(postgres_url: str) -> None:
    # Given
    documented = re.search(r"`artifacts metrics` needs only `SELECT` on ([^.]*)\.", DATABASE)
    assert documented is not None
    tables = re.findall(r"`(\w+)`", documented[1])
    with role(postgres_url) as url:
        name = url.partition("//")[2].partition("@")[0]
        with psycopg.connect(postgres_url.replace("+psycopg", "")) as owner:
            owner.execute(f"GRANT SELECT ON {', '.join(tables)} TO {name}".encode())
        engine = make_engine(url)
        # When
        found = SqlMetrics(engine, LEASE, BREAKER_FAILURES).read(first=HOUR)
        engine.dispose()
    # Then
    assert set(found.tables) == set(PipelineBase.metadata.tables)
