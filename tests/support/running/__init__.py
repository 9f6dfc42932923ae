"""Plans at work, made up for tests."""
