"""The `artifacts` command."""
