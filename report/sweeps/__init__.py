"""What people see of sweeps."""
