"""A plan run on this machine: agents as processes, links shaped, nodes slowed."""
