"""Timing on this machine: pieces, spans, load."""
