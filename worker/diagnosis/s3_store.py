"""The bucket that the settings name, and what its store can do."""

from collections.abc import Iterator
from contextlib import closing

from artifact_pipeline.worker.composition.clients import bucket_client
from artifact_pipeline.worker.diagnosis.bucket import examine_bucket, find_tags
from artifact_pipeline.worker.diagnosis.endpoints import examine_endpoints
from artifact_pipeline.worker.diagnosis.findings import Finding
from artifact_pipeline.worker.diagnosis.probe.run import probe_store
from artifact_pipeline.worker.diagnosis.probe.store import Probe
from artifact_pipeline.worker.settings import BucketSettings


def examine_s3_store(settings: BucketSettings) -> Iterator[Finding]:
    """Examine the endpoints, the bucket and the tags of uploads, without a write."""
    yield from examine_endpoints(settings)
    asked = settings.encryption
    default = None if settings.url_signs_encryption else asked
    with closing(bucket_client(settings)) as client:
        yield from examine_bucket(client, settings.bucket, default, asked)
    yield from find_tags(settings.tags)


def probe_s3_store(settings: BucketSettings) -> Iterator[Finding]:
    """Write to the bucket, to see what the store does."""
    with closing(bucket_client(settings)) as client:
        yield from probe_store(
            Probe(
                client,
                settings.bucket,
                encryption=settings.encryption,
                abilities=settings.abilities,
                has_tags=bool(settings.tags.names),
                url_signs_encryption=settings.url_signs_encryption,
            )
        )
