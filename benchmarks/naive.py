"""The tasks that one would write instead, with Celery's defaults.

NAIVE_BROKER_URL=… celery -A benchmarks.naive worker
"""

import os
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from celery import Celery
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from artifact_pipeline.worker.sql.platform_tables import JobRow, RunRow

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

app = Celery("naive", broker=os.environ.get("NAIVE_BROKER_URL"), set_as_current=False)


@cache
def engine() -> Engine:
    return create_engine(os.environ["ARTIFACTS_DATABASE_URL"])


@cache
def s3() -> "S3Client":
    return boto3.client("s3", endpoint_url=os.environ["ARTIFACTS_S3_ENDPOINT_URL"])


@app.task
def noop(job_id: int) -> None:
    """What a task costs that does nothing."""


@app.task
def upload_job_config(job_id: int) -> None:
    with Session(engine()) as session:
        job = session.get_one(JobRow, job_id)
        key = f"{_prefix(job)}/job_config.json"
        _put(key, _workspace(job_id) / "job_config.json")
        job.config_location = key
        session.commit()


@app.task
def upload_run_config(job_id: int, run_id: int) -> None:
    with Session(engine()) as session:
        job, run = session.get_one(JobRow, job_id), session.get_one(RunRow, run_id)
        key = f"{_prefix(job)}/run_{run_id}_config.json"
        _put(key, _workspace(job_id) / f"run_{run_id}_config.json")
        run.config_url = key
        session.commit()


@app.task
def upload_run_logs(job_id: int, run_id: int) -> None:
    with Session(engine()) as session:
        job, run = session.get_one(JobRow, job_id), session.get_one(RunRow, run_id)
        key = f"{_prefix(job)}/run_{run_id}_logs.log"
        _put(key, _workspace(job_id) / f"run_{run_id}_logs.log")
        run.results_url = key
        session.commit()


@app.task
def download_run_logs(job_id: int, run_id: int) -> None:
    with Session(engine()) as session:
        run = session.get_one(RunRow, run_id)
        assert run.results_url is not None
        body = s3().get_object(Bucket=_bucket(), Key=run.results_url)["Body"]
        with (_workspace(job_id) / f"run_{run_id}_logs.log").open("wb") as file:
            shutil.copyfileobj(body, file)
        run.config_url = run.results_url
        session.commit()


def _prefix(job: JobRow) -> str:
    return f"jobs/{job.id}/{job.created_at:%Y/%m/%d/%H%M%S}"


def _put(key: str, path: Path) -> None:
    with path.open("rb") as file:
        s3().put_object(Bucket=_bucket(), Key=key, Body=file, ServerSideEncryption="AES256")


def _bucket() -> str:
    return os.environ["ARTIFACTS_BUCKET"]


def _workspace(job_id: int) -> Path:
    return Path(os.environ["ARTIFACTS_WORKSPACE"]) / f"job_{job_id}"
