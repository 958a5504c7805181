"""`artifacts status`."""
