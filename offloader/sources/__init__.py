"""Several sources at work: a plan for each, over machines and links that they share."""
