"""Solvers: a registry, and one file for each."""
