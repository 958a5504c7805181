"""What a deployment hangs on: whether it answers, and whether it is set up as it should be."""
