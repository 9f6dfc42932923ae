"""The profile file: schema, checks, samples, merging."""
