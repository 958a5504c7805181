"""`artifacts jobs uploads`."""
