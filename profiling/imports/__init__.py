"""Files of other tools as profiles."""
