"""``tiercut solve``: the best plan."""

from tiercut.cli.question_command import question_command

__all__ = ["solve"]

solve = question_command("solve", "Find the best plan.", hide=("over", "top", "all_decisions"))
