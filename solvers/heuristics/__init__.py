"""Solvers without proof: annealing and NSGA-II."""
