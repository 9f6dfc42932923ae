"""Commands that study: simulate, sensitivity."""
