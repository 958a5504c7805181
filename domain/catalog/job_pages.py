"""A listing of the whole store in pages that have all of each of their jobs."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from artifact_pipeline.domain.model.keys import job_of
from artifact_pipeline.domain.model.objects import BucketObject


def job_pages(objects: Iterable[BucketObject], size: int) -> Iterator[list[BucketObject]]:
    """Yield so many objects or more, with all of each job that is among them.

    Args:
        objects: in the order of their keys.
        size: objects of a page, at least.
    """
    page: list[BucketObject] = []
    for _job_id, of_job in groupby(objects, lambda there: job_of(there.address.key)):
        page += of_job
        if len(page) >= size:
            yield page
            page = []
    if page:
        yield page
