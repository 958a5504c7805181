"""Clients and buckets of the S3 servers that the tests start."""

from uuid import uuid4

import boto3
from mypy_boto3_s3 import S3Client

from artifact_pipeline.worker.s3.client import make_client


def client_of(url: str) -> S3Client:
    session = boto3.Session("tests", "tests-secret", region_name="us-east-1")
    return make_client(url, threads=4, session=session)


def create_bucket(client: S3Client) -> str:
    name = f"artifacts-{uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    return name
