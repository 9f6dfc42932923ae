"""Answers for people: what was asked, and which rows of a frontier need to be seen."""
