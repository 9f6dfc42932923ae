"""Commands that put a plan to work."""
