"""Several sources that share the machines: one plan for each, found together and checked apart from the solver."""
