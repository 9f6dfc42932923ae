"""Streams of frames: random systems, and other ways to run them."""
