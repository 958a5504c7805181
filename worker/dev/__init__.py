"""The whole pipeline on one machine, to try it or to develop with it."""
