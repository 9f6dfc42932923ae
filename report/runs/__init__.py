"""What people see of plans that were run."""
