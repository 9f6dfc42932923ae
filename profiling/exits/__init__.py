"""Exits on a classifier: branches, training, calibration, statistics."""
