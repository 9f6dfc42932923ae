"""Plans whose accuracy is certified on samples that had no part in choosing them."""
