"""What jobs, runs, artifacts and transfers are, and what may happen to them. No framework."""
