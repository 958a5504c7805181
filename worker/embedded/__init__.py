"""Real servers from wheels, for the demo and the tests: one directory, no installation."""
