"""The solver that grows labels: dynamic programming over partial plans."""
