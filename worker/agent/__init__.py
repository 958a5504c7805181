"""A worker that lives as long as its container, and serves the container's own directory tree."""
