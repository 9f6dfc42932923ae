"""Topology files: schema, loader, routes, drawings, and the ready-made ones."""
