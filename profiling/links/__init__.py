"""Measuring links between machines."""
