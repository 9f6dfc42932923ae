"""The solver that scores every decision."""
