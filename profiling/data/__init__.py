"""Data sets: ready-made, from files, and made here."""
