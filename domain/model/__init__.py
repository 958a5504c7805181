"""Jobs, artifacts, transfers, batches and objects: what they are. Nothing here asks anybody."""
