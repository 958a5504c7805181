"""The story of an upload that came three days late, played on real servers."""
