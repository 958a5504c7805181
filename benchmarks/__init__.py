"""What an upload costs: `make bench`. Exact counts and peaks, no times of this machine alone."""
