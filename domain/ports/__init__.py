"""The protocols that adapters implement. `domain.fakes` has each of them in memory."""
