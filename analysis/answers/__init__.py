"""Answers: plans in order, read and written, and what a frontier covers."""
