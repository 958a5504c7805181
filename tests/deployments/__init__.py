"""Deployments as people have them: poolers, replicas, TLS, access control lists, other settings."""
