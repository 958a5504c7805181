"""A platform on Django, run by the tests in a process of its own, without the pipeline's package.

It runs the code of the documents: `in_transaction` and `on_commit`, which come as JSON on its
standard input, with the URLs of database and broker.
"""

import json
import sys
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import django  # type: ignore[import-not-found]
from celery import Celery
from django.conf import settings  # type: ignore[import-not-found]
from django.db import connection, models, transaction  # type: ignore[import-not-found]


def main() -> None:
    given = json.load(sys.stdin)
    job_class, user = _set_up(given["database_url"])
    names = {
        "Job": job_class,
        "user": user,
        "now": datetime(2025, 10, 23, 21, 15, tzinfo=UTC),
        "transaction": transaction,
        "celery_app": Celery(broker=given["broker_url"]),
    }
    seen: dict[str, Any] = {}
    exec(given["in_transaction"], names)  # noqa: S102 - of the documents
    seen["in_transaction"] = names["job"].id
    with transaction.atomic():
        exec(given["in_transaction"] + given["on_commit"], names)  # noqa: S102 - the same
        seen["rolled_back"] = names["job"].id
        transaction.set_rollback(True)
    with transaction.atomic():
        names["job"] = job_class.objects.create(
            user=user, status="CREATED", created_at=names["now"]
        )
        exec(given["on_commit"], names)  # noqa: S102 - the same
        seen["on_commit"] = names["job"].id
    with transaction.atomic():
        exec(given["in_transaction"], names)  # noqa: S102 - the same
        seen["both"], request_id = names["job"].id, _request_id_of(names["job"].id)
        with_id = given["on_commit"].replace(
            'queue="configs"', 'queue="configs", task_id=request_id'
        )
        exec(with_id, {**names, "request_id": request_id})  # noqa: S102 - the same
    seen["imported"] = sorted({"domain", "tasks", "worker"} & set(sys.modules))
    print(json.dumps(seen))  # noqa: T201 - the answer


def _request_id_of(job_id: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT request_id FROM transfers WHERE job_id = %s", [job_id])
        return str(cursor.fetchone()[0])


def _set_up(database_url: str) -> tuple[Any, Any]:
    url = urlsplit(database_url)
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": url.path.removeprefix("/"),
                "USER": url.username or "",
                "PASSWORD": url.password or "",
                "HOST": parse_qs(url.query).get("host", [url.hostname])[0],
                "PORT": url.port or "",
            }
        },
        USE_TZ=True,
        TIME_ZONE="Pacific/Auckland",  # as in a project that does not live in UTC
    )
    django.setup()

    class User(models.Model):  # type: ignore[misc]  # noqa: DJ008 - mypy knows no Django
        class Meta:
            app_label, managed = "platform", False

    class Job(models.Model):  # type: ignore[misc]  # noqa: DJ008 - as above
        id = models.AutoField(primary_key=True)
        user = models.ForeignKey(User, models.DO_NOTHING, db_constraint=False)
        tags = models.JSONField(default=list)
        status = models.TextField()
        created_at = models.DateTimeField()
        updated_at = models.DateTimeField(auto_now=True)

        class Meta:
            app_label, managed, db_table = "platform", False, "jobs"

    return Job, User(id=42)


main()
