"""Plans that are timed before their frames are sent."""
