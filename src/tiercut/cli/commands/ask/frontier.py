"""``tiercut frontier``: the plans that no other beats."""

from tiercut.cli.question_command import question_command

__all__ = ["frontier"]

frontier = question_command(
    "frontier", "List the plans that no other beats in both latency and accuracy.", hide=("top", "all_decisions")
)
