"""How the pipeline scales: a model of its tiers, fed with what `make bench` has measured."""
