"""Data sets: ready-made, from files, and generated here."""
