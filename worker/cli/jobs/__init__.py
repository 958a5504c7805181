"""`artifacts jobs`."""
