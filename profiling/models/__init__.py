"""Models: where they come from, their graph, their blocks and pieces."""
