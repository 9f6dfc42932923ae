"""The solver that hands the question to OR-tools CP-SAT."""
