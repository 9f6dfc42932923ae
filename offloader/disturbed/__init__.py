"""Runs that are disturbed as a file says: links and nodes that get slower or quicker, die and return."""
