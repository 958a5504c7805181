"""`artifacts batch`."""
