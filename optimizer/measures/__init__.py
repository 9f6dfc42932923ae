"""The measures of a plan, each described in one file."""
