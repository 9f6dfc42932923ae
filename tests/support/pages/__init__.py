"""Reports, and a browser to look at them."""
