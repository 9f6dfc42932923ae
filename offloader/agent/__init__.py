"""An agent: a partition as a server."""
