"""The form of lines in the log."""
