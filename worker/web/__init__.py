"""`artifacts web`: the pipeline as a JSON API and as pages."""
