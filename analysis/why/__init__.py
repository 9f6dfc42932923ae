"""Why a plan is the best: the runner-up, what binds, and where another plan takes its place."""
