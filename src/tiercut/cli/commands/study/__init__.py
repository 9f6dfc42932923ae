"""Commands that study: simulate."""
