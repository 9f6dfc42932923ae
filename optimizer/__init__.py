"""The performance model: problem, plan, query, kernels, frontier, and their faces (plots, report)."""
