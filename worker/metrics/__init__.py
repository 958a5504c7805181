"""`artifacts metrics`: what SQL and the broker know, for Prometheus."""
