"""Answers about several sources, as tables."""
