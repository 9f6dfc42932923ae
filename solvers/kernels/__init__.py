"""Compiled kernels that several solvers call."""
