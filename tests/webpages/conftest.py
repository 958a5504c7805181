from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from artifact_pipeline.domain.reasons import ReasonCode
from tests.webpages.site import CONFIG, LOGS, PNG, RESULTS, Site, zip_of


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    """The pages over a database and a store in files, and no broker."""
    with Site(sqlite_url, tmp_path) as made:
        yield made


@pytest.fixture
def job(site: Site) -> Site:
    """Job 12 with a run, a config, results and logs that are missing."""
    site.history.job(12, [4], tags={"model": "seir"})
    site.store(CONFIG, b'{"days":180}')
    site.store(RESULTS, zip_of({"RUN1/a.csv": b"day,x\n1,2\n2,9\n", "RUN1/p.png": PNG}))
    site.history.transfer(LOGS, reason=ReasonCode.SOURCE_MISSING, finished_at=datetime.now(UTC))
    return site
