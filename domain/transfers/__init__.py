"""Moving one artifact: the runner of attempts, and the handler of each direction."""
