"""Commands that ask: solve, explain, replay, show."""
