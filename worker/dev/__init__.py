"""The whole pipeline on one machine, for whoever tries it or builds on it."""
