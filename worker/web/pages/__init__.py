"""The HTML pages of `artifacts web`."""
