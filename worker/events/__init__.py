"""Targets of events: tasks and webhooks."""
