"""``python -m tiercut``: the same as the command ``tiercut``."""

from tiercut.cli import main

if __name__ == "__main__":
    main()
