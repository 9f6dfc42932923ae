"""Answers about several networks, for people: one table, one picture, and what each network has by itself."""
