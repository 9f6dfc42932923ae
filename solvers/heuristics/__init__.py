"""Solvers without proof: annealing, NSGA-II, and the random baseline, which is the solver to copy for a new one."""
