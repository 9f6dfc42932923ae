"""The drawing of a topology, and its routes as tables."""
