"""Fixtures of the tests of odd stores."""

from contextlib import closing
from typing import Any

import pytest

from artifact_pipeline.worker.diagnosis.findings import Finding
from artifact_pipeline.worker.diagnosis.probe.run import probe_store
from artifact_pipeline.worker.embedded.servers import Ministack
from tests.s3.steps import client_at
from tests.stores.lying import Lie, lying_s3
from tests.stores.probing import Lying, probe_of


@pytest.fixture
def lying(ministack: Ministack, bucket: str) -> Lying:

    def probe(*lies: Lie, **changes: Any) -> list[Finding]:
        with lying_s3(ministack.url, *lies) as url, closing(client_at(url)) as client:
            return list(probe_store(probe_of(client, bucket, **changes)))

    return probe
