from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.webpages.site import Site


@pytest.fixture
def site(sqlite_url: str, tmp_path: Path) -> Iterator[Site]:
    """The pages over a database and a store in files, and no broker."""
    with Site(sqlite_url, tmp_path) as made:
        yield made
