"""``tiercut rank``: the best plans in order."""

from tiercut.cli.question_command import question_command

__all__ = ["rank"]

rank = question_command("rank", "List the best plans in order.", hide=("over",))
