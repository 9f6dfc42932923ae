"""Bundles: the pieces of a plan as files, one folder for each partition."""
