"""The `transfers` table."""
