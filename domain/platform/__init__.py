"""The platform's names for what it asks of the pipeline."""
