"""The `batches` and `batch_members` tables."""
