"""Where the artifacts of a job are, whatever rule put them there."""
