"""A question that is asked again while nodes and links change."""
