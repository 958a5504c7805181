"""The life of a worker process: start, signs of life, pause and shutdown."""
