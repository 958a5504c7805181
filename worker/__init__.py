"""The running process: Celery app, settings, composition root, command line, and the adapters."""
