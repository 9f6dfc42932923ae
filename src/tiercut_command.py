"""What the script ``tiercut`` calls: a module beside the package, as a Ctrl-C may come while that is imported."""

import sys

__all__ = ["main"]


def main() -> None:
    """Import the command line and run it (see `tiercut.cli.main`)."""
    try:
        from tiercut.cli import main as run

        run()
    except KeyboardInterrupt:  # before `run` began; from then on it answers itself
        print("error: interrupted", file=sys.stderr)  # as it does
        raise SystemExit(130) from None
