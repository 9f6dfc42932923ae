"""Pictures in two steps: a pure function that gives the data to draw, and a thin one that draws it on axes."""
