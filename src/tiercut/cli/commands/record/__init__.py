"""Commands that record: blocks, profile, train, merge, import, links."""
