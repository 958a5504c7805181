"""`artifacts retention`."""
