"""``tiercut profile``."""


def profile() -> None:
    """Build, train, time and record a network."""
