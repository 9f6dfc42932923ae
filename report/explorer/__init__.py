"""One page to explore a problem: everything in one file, which works offline and scores plans by itself."""
