"""Names of what a worker waits for at its start, which need no library."""

SHARE = "shared workspace"
"""The part that only a worker needs whose queues have transfers."""
