"""The commands about objects whose job does not exist."""
