"""Who finds plans: a task in, an outcome out. A registry, and a folder for each solver or family of them."""
