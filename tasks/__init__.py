"""The Celery tasks, which carry only ids, and the producers' side of the queue."""
